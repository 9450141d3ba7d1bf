import type { TimeRange } from '@grafana/data';
import { Button, Combobox, IconButton, InlineField, InlineFieldRow, MultiCombobox, useStyles2 } from '@grafana/ui';
import type { DataSource } from './DataSource';
import { optionsOf } from './lists';
import { wideStyles } from './boxes';
import type { Matcher } from './query.gen';
import { useValueSearch } from './useValueSearch';

interface Props {
  /** Tells the controls of several editors on one page apart. */
  idPrefix: string;
  datasource: DataSource;
  pom?: string;
  dimensions: string[];
  matchers: Matcher[];
  range?: TimeRange;
  onChange: (matchers: Matcher[]) => void;
}

/** Edits matchers: each keeps what has one of some values in a dimension. */
export function MatcherRows({ idPrefix, matchers, onChange, ...asked }: Props) {
  return (
    <>
      {matchers.map((matcher, i) => (
        <MatcherRow
          // The key makes it ask again when the question is another.
          key={`${i} ${asked.pom} ${matcher.dimension}`}
          {...asked}
          idPrefix={`${idPrefix}-${i}`}
          label={i === 0 ? 'Only' : 'and'}
          name={`matcher ${i + 1}`}
          matcher={matcher}
          others={matchers.filter((_, j) => j !== i)}
          onChange={(changed) => onChange(matchers.map((old, j) => (i === j ? changed : old)))}
          onRemove={() => onChange(matchers.filter((_, j) => j !== i))}
        />
      ))}
      <Button
        variant="secondary"
        size="sm"
        icon="plus"
        onClick={() => onChange([...matchers, { dimension: '', values: [] }])}
      >
        Add matcher
      </Button>
    </>
  );
}

interface RowProps extends Omit<Props, 'matchers' | 'onChange'> {
  label: string;
  name: string;
  matcher: Matcher;
  others: Matcher[];
  onChange: (matcher: Matcher) => void;
  onRemove: () => void;
}

function MatcherRow(props: RowProps) {
  const { idPrefix, datasource, pom, dimensions, matcher, others, range, label, name, onChange, onRemove } = props;
  const { dimension } = matcher;
  const styles = useStyles2(wideStyles);

  const search = useValueSearch(datasource, dimension, { pom, matchers: others, range });

  return (
    <InlineFieldRow>
      <InlineField label={label} labelWidth={16} htmlFor={`${idPrefix}-dimension`}>
        <Combobox
          id={`${idPrefix}-dimension`}
          width={16}
          placeholder="dimension"
          value={dimension || null}
          options={optionsOf(dimensions, dimension ? [dimension] : [])}
          onChange={({ value }) => onChange({ dimension: value, values: [] })}
        />
      </InlineField>
      <InlineField label="is one of" htmlFor={`${idPrefix}-values`} disabled={!dimension} grow className={styles.wide}>
        <MultiCombobox
          id={`${idPrefix}-values`}
          createCustomValue
          placeholder="values"
          value={matcher.values}
          options={search}
          onChange={(chosen) => onChange({ dimension, values: chosen.map(({ value }) => value) })}
        />
      </InlineField>
      <IconButton name="trash-alt" aria-label={`Remove ${name}`} tooltip={`Remove ${name}`} onClick={onRemove} />
    </InlineFieldRow>
  );
}
