import { css } from '@emotion/css';
import { useState } from 'react';
import type { GrafanaTheme2, QueryEditorProps } from '@grafana/data';
import {
  Alert,
  Combobox,
  InlineField,
  InlineFieldRow,
  InlineSwitch,
  Input,
  MultiCombobox,
  useStyles2,
} from '@grafana/ui';
import type { DataSource, HeatQuery, HeatSettings } from './DataSource';
import { dimensions, optionsOf, useLoaded } from './lists';
import { MatcherRows } from './MatcherRows';
import type { Query } from './query.gen';
import { settled, wideStyles } from './boxes';

const kinds: Array<{ value: Query['kind']; label: string; description: string }> = [
  { value: 'heatmap', label: 'Heatmap', description: 'Counts by time and value' },
  { value: 'series', label: 'Series', description: 'Quantiles, rates and counts over time; alert rules can use them' },
  { value: 'grid', label: 'Goroutine grid', description: 'Heat by goroutine' },
  { value: 'releases', label: 'Releases', description: 'When each version was first seen, as annotations' },
];

const sides: Array<{ value: NonNullable<Query['side']>; label: string }> = [
  { value: 0, label: 'Auto' },
  { value: 256, label: '256' },
  { value: 512, label: '512' },
  { value: 1024, label: '1024' },
];

const statistics = [
  { value: 'p50' },
  { value: 'p90' },
  { value: 'p99' },
  { value: 'p99.9' },
  { value: 'max' },
  { value: 'mean' },
  { value: 'count', description: 'Hits' },
  { value: 'rate', description: 'Hits per second' },
  { value: 'sum' },
  { value: 'share', description: 'Sum per second: of a duration, its share of wall time' },
];

type Props = QueryEditorProps<DataSource, HeatQuery, HeatSettings>;

/** Edits a query. What a kind does not use is not shown. */
export function QueryEditor({ datasource, query, range, onChange, onRunQuery }: Props) {
  const styles = useStyles2(getStyles);
  const { wide } = useStyles2(wideStyles);
  const [points] = useState(() => datasource.points());
  const { value: known = [], problem } = useLoaded(points);

  const { kind, pom } = query;
  const point = known.find(({ name }) => name === pom);
  const available = point?.dimensions ?? dimensions;
  const id = (name: string) => `gotherm-${query.refId}-${name}`;
  const change = (changed: Partial<HeatQuery>) =>
    settled(() => {
      onChange({ ...query, ...changed });
      onRunQuery();
    });

  return (
    <div className={styles.rows}>
      <InlineFieldRow>
        <InlineField label="Kind" labelWidth={16} htmlFor={id('kind')}>
          <Combobox
            id={id('kind')}
            width={24}
            value={kind}
            options={kinds}
            onChange={({ value }) =>
              change({
                kind: value,
                statistics: value === 'series' ? (query.statistics ?? ['p50', 'p99', 'max']) : undefined,
              })
            }
          />
        </InlineField>
        {kind !== 'releases' && (
          <InlineField label="Measurement point" htmlFor={id('pom')}>
            <Combobox
              id={id('pom')}
              width={28}
              createCustomValue
              placeholder="sched.latency"
              value={pom || null}
              options={known.map(({ name, help, onDemand }) => ({
                value: name,
                description: onDemand ? `${help} (on demand)` : help,
              }))}
              onChange={({ value }) => change({ pom: value })}
            />
          </InlineField>
        )}
        {kind !== 'releases' && point?.onDemand && (
          <InlineField
            label="Attach"
            htmlFor={id('attach')}
            tooltip="This point costs what it watches time, so it is watched only on demand. While this query is asked, the agents are asked to watch it."
          >
            <InlineSwitch
              id={id('attach')}
              value={Boolean(query.attach)}
              onChange={(event) => change({ attach: event.currentTarget.checked })}
            />
          </InlineField>
        )}
      </InlineFieldRow>
      {problem && <Alert severity="warning" title={`The measurement points could not be listed: ${problem}`} />}
      {point && kind !== 'releases' && (
        <p className={styles.help}>
          {point.help} Tier {point.tier}, {point.unit === 'ns' ? 'durations' : 'counts'}.
        </p>
      )}
      <MatcherRows
        idPrefix={id('matcher')}
        datasource={datasource}
        pom={kind === 'releases' ? undefined : pom}
        dimensions={kind === 'releases' ? ['service', 'version'] : available}
        matchers={query.matchers ?? []}
        range={range}
        onChange={(matchers) => change({ matchers })}
      />
      <InlineFieldRow>
        {(kind === 'heatmap' || kind === 'series') && (
          <InlineField
            label="Group by"
            labelWidth={16}
            grow
            className={wide}
            htmlFor={id('group')}
            tooltip="One series for each value of these dimensions; all others are added up."
          >
            <MultiCombobox
              id={id('group')}
              placeholder="nothing: one series"
              value={query.groupBy ?? []}
              options={optionsOf(available, query.groupBy)}
              onChange={(chosen) => change({ groupBy: chosen.map(({ value }) => value) })}
            />
          </InlineField>
        )}
        {kind === 'series' && (
          <InlineField
            grow
            className={wide}
            label="Statistics"
            htmlFor={id('statistics')}
            tooltip="Any quantile can be typed in: p75, p99.99."
          >
            <MultiCombobox
              id={id('statistics')}
              createCustomValue
              value={query.statistics ?? []}
              options={[
                ...statistics,
                ...optionsOf((query.statistics ?? []).filter((s) => !statistics.some(({ value }) => value === s))),
              ]}
              onChange={(chosen) => change({ statistics: chosen.map(({ value }) => value) })}
            />
          </InlineField>
        )}
        {kind === 'grid' && (
          <InlineField
            label="Side"
            labelWidth={16}
            htmlFor={id('side')}
            tooltip="How many cells the square has on a side."
          >
            <Combobox
              id={id('side')}
              width={16}
              value={query.side ?? 0}
              options={sides}
              onChange={({ value }) => change({ side: value })}
            />
          </InlineField>
        )}
        {(kind === 'heatmap' || kind === 'series') && (
          <>
            <InlineField
              label="Legend"
              htmlFor={id('legend')}
              tooltip="The name of a series: text with {{dimension}}, {{pom}} or {{statistic}} in it."
            >
              <Input
                id={id('legend')}
                width={28}
                placeholder="auto"
                value={query.legend ?? ''}
                onChange={({ currentTarget }) => onChange({ ...query, legend: currentTarget.value || undefined })}
                onBlur={onRunQuery}
              />
            </InlineField>
            <InlineField label="Live" htmlFor={id('live')} tooltip="New columns are shown as they are complete.">
              <InlineSwitch
                id={id('live')}
                value={Boolean(query.live)}
                onChange={(event) => change({ live: event.currentTarget.checked })}
              />
            </InlineField>
          </>
        )}
      </InlineFieldRow>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  rows: css({ display: 'flex', flexDirection: 'column', alignItems: 'flex-start', gap: theme.spacing(0.5) }),
  help: css({ margin: 0, color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
});
