import { dateTime, type TimeRange } from '@grafana/data';
import { Combobox, InlineField, InlineFieldRow, TimeRangeInput } from '@grafana/ui';
import type { DataSource } from './DataSource';
import { optionsOf } from './lists';
import { latest, previous } from './kinds';
import type { Arm, Query } from './query.gen';
import { useValueSearch } from './useValueSearch';

interface Props {
  /** Tells the controls of several editors on one page apart. */
  idPrefix: string;
  datasource: DataSource;
  query: Query;
  /** refIds of the other queries that are asked together with this one. */
  others: string[];
  range?: TimeRange;
  onChange: (changed: Partial<Query>) => void;
}

const measures: Array<{ value: NonNullable<Query['per']>; label: string; description: string }> = [
  { value: '', label: 'Auto', description: 'Share; of points that count hits, per second' },
  { value: 'share', label: 'Share of hits', description: 'How hits are spread, however many there are' },
  { value: 'request', label: 'Per request', description: 'Hits for each http.request of the same side' },
  { value: 'second', label: 'Per second', description: 'Hits for each second that was watched' },
];

/** Edits what is compared: the baseline, first as everywhere, and the candidate. */
export function Arms({ query, onChange, ...asked }: Props) {
  return (
    <>
      <ArmRow
        {...asked}
        query={query}
        label="Baseline"
        arm={query.baseline}
        onChange={(baseline) => onChange({ baseline })}
      />
      <ArmRow
        {...asked}
        query={query}
        label="Candidate"
        arm={query.candidate}
        onChange={(candidate) => onChange({ candidate })}
      />
      <InlineField
        label="Difference of"
        labelWidth={16}
        htmlFor={`${asked.idPrefix}-per`}
        tooltip="Candidate less baseline of this."
      >
        <Combobox
          id={`${asked.idPrefix}-per`}
          width={24}
          value={query.per ?? ''}
          options={measures}
          onChange={({ value }) => onChange({ per: value || undefined })}
        />
      </InlineField>
    </>
  );
}

const newest = [latest, previous];

interface RowProps extends Omit<Props, 'onChange'> {
  label: 'Baseline' | 'Candidate';
  arm?: Arm;
  onChange: (arm: Arm) => void;
}

function ArmRow({ idPrefix, datasource, query, others, range, label, arm = {}, onChange }: RowProps) {
  const id = (name: string) => `${idPrefix}-${label.toLowerCase()}-${name}`;
  const { pom, matchers } = query;

  const search = useValueSearch(datasource, 'version', { pom, matchers, range }, newest);

  return (
    <InlineFieldRow>
      <InlineField
        label={label}
        labelWidth={16}
        htmlFor={id('version')}
        tooltip="A version of the service. What else is chosen in this row must hold as well."
      >
        <Combobox
          id={id('version')}
          width={24}
          isClearable
          createCustomValue
          placeholder="any version"
          value={arm.version || null}
          options={search}
          onChange={(option) => onChange({ ...arm, version: option?.value })}
        />
      </InlineField>
      <InlineField label="in" tooltip="A window of its own. Without one, it is the range of the query.">
        <TimeRangeInput
          clearable
          hideQuickRanges
          hideTimeZone
          placeholder="the query's range"
          value={windowOf(arm)}
          onChange={({ from, to }) =>
            onChange({
              ...arm,
              from: from.isValid() ? from.valueOf() : undefined,
              to: to.isValid() ? to.valueOf() : undefined,
            })
          }
        />
      </InlineField>
      {(others.length > 0 || arm.query) && (
        <InlineField
          label="of query"
          htmlFor={id('query')}
          tooltip="Measurement point, matchers and range of another query of this panel that is not hidden, instead of those of this one."
        >
          <Combobox
            id={id('query')}
            width={16}
            isClearable
            placeholder="this one"
            value={arm.query || null}
            options={optionsOf(others, arm.query ? [arm.query] : [])}
            onChange={(option) => onChange({ ...arm, query: option?.value })}
          />
        </InlineField>
      )}
    </InlineFieldRow>
  );
}

/** The window as the box has it: times that are not valid where there is none. */
function windowOf({ from, to }: Arm): TimeRange {
  const window = { from: dateTime(from ?? null), to: dateTime(to ?? null) };
  return { ...window, raw: window };
}
