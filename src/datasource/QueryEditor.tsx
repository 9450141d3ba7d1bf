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
import { Arms } from './Arms';
import type { DataSource, HeatQuery, HeatSettings } from './DataSource';
import { hasPoint, kinds, misfit, settleOn, statisticMisfit, statisticsOf } from './kinds';
import { dimensions, optionsOf, useLoaded } from './lists';
import { MatcherRows } from './MatcherRows';
import { ProfileFields } from './ProfileFields';
import { isOfProfile } from './profiles';
import type { Query } from './query.gen';
import { settled, wideStyles } from './boxes';

const sides: Array<{ value: NonNullable<Query['side']>; label: string }> = [
  { value: 0, label: 'Auto' },
  { value: 256, label: '256' },
  { value: 512, label: '512' },
  { value: 1024, label: '1024' },
];

/** Of processes and releases, what they can be matched by. */
const known = { processes: ['service', 'version', 'process'], releases: ['service', 'version'] };

const units = { ns: 'durations', By: 'bytes', '1': 'counts or ratios' };

/** What series can't be told apart by: a spectrum's rows, and what versions never have in common. */
function apart({ kind, y, baseline, candidate }: Query): Array<string | undefined> {
  if (kind === 'compare' && baseline?.version && candidate?.version) {
    return ['version', 'process'];
  }
  return kind === 'spectrum' ? [y] : [];
}

type Props = QueryEditorProps<DataSource, HeatQuery, HeatSettings>;

/** Edits a query. What a kind does not use is not shown. */
export function QueryEditor({ datasource, query, queries = [], range, onChange, onRunQuery }: Props) {
  const styles = useStyles2(getStyles);
  const { wide } = useStyles2(wideStyles);
  const [points] = useState(() => datasource.points());
  const { value: catalogue = [], problem } = useLoaded(points);

  const { kind, pom } = query;
  const called = (name: string | undefined) => catalogue.find((one) => one.name === name);
  const point = hasPoint(kind) ? called(pom) : undefined;
  const available = kind === 'processes' || kind === 'releases' ? known[kind] : (point?.dimensions ?? dimensions);
  // A gauge has one series for each process, and nothing is streamed of it.
  const isHeat = (kind === 'heatmap' || kind === 'series') && !point?.gauge;
  const isEvents = kind === 'events';
  const pointProblem = misfit(kind, point);
  const statisticProblem = kind === 'series' ? statisticMisfit(query.statistics, point) : undefined;
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
            onChange={({ value }) => change(settleOn({ ...query, kind: value }, called(pom)))}
          />
        </InlineField>
        {hasPoint(kind) && (
          <InlineField
            label="Measurement point"
            htmlFor={id('pom')}
            invalid={pointProblem !== undefined}
            error={pointProblem}
          >
            <Combobox
              id={id('pom')}
              width={28}
              createCustomValue
              placeholder="sched.latency"
              value={pom || null}
              options={catalogue
                // What is chosen stays in the list, to be seen.
                .filter((one) => one === point || !misfit(kind, one))
                .map(({ name, help, onDemand }) => ({
                  value: name,
                  description: onDemand ? `${help} (on demand)` : help,
                }))}
              onChange={({ value }) => change(settleOn({ ...query, pom: value }, called(value)))}
            />
          </InlineField>
        )}
        {point?.onDemand && (
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
      {problem && hasPoint(kind) && (
        <Alert severity="warning" title={`The measurement points could not be listed: ${problem}`} />
      )}
      {point && (
        <p className={styles.help}>
          {point.help} Tier {point.tier}, {point.gauge ? 'measured once a second, in ' : ''}
          {units[point.unit]}.
        </p>
      )}
      {isOfProfile(kind) ? (
        <ProfileFields
          idPrefix={id('profile')}
          datasource={datasource}
          kind={kind}
          profile={query.profile ?? {}}
          onChange={(profile, typed) => (typed ? onChange({ ...query, profile }) : change({ profile }))}
          onRunQuery={onRunQuery}
        />
      ) : (
        <MatcherRows
          idPrefix={id('matcher')}
          datasource={datasource}
          pom={hasPoint(kind) ? pom : undefined}
          dimensions={available}
          matchers={query.matchers ?? []}
          range={range}
          onChange={(matchers) => change({ matchers })}
        />
      )}
      {kind === 'compare' && (
        <Arms
          idPrefix={id('arm')}
          datasource={datasource}
          query={query}
          others={queries.map(({ refId }) => refId).filter((refId) => refId !== query.refId)}
          range={range}
          onChange={change}
        />
      )}
      <InlineFieldRow>
        {kind === 'spectrum' && (
          <InlineField
            label="Rows"
            labelWidth={16}
            htmlFor={id('y')}
            tooltip="The dimension that goes up: one whose values are numbers."
            invalid={!query.y}
            error="Rows: choose the dimension that goes up"
          >
            <Combobox
              id={id('y')}
              width={16}
              value={query.y ?? null}
              options={optionsOf(point?.numbers ?? [], query.y ? [query.y] : [])}
              onChange={({ value }) => change({ y: value, groupBy: query.groupBy?.filter((one) => one !== value) })}
            />
          </InlineField>
        )}
        {(isHeat || isEvents || kind === 'spectrum' || kind === 'compare') && (
          <InlineField
            label="Group by"
            labelWidth={16}
            grow
            className={wide}
            htmlFor={id('group')}
            tooltip={
              isEvents
                ? 'What is told of each event, beside its goroutine and start function.'
                : 'One series for each value of these dimensions; all others are added up.'
            }
          >
            <MultiCombobox
              id={id('group')}
              placeholder={isEvents ? 'nothing' : 'nothing: one series'}
              value={query.groupBy ?? []}
              options={optionsOf(
                available.filter((dimension) => !apart(query).includes(dimension)),
                query.groupBy
              )}
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
            tooltip="Any quantile of durations and bytes can be typed in: p75, p99.99."
            invalid={statisticProblem !== undefined}
            error={statisticProblem}
          >
            <MultiCombobox
              id={id('statistics')}
              createCustomValue
              value={query.statistics ?? []}
              options={[
                ...statisticsOf(point),
                ...optionsOf(
                  (query.statistics ?? []).filter((s) => !statisticsOf(point).some(({ value }) => value === s))
                ),
              ]}
              onChange={(chosen) => change({ statistics: chosen.map(({ value }) => value) })}
            />
          </InlineField>
        )}
        {kind === 'cell' &&
          (['valueMin', 'valueMax'] as const).map((bound) => (
            <InlineField
              key={bound}
              label={bound === 'valueMin' ? 'Values over' : 'Values up to'}
              labelWidth={16}
              htmlFor={id(bound)}
              tooltip="In seconds or bytes. Buckets that lie between the two bounds are in the cell; without one they all are."
            >
              <Input
                id={id(bound)}
                type="number"
                min={0}
                width={16}
                placeholder="no bound"
                value={query[bound] ?? ''}
                onChange={({ currentTarget }) =>
                  onChange({ ...query, [bound]: Number(currentTarget.value) || undefined })
                }
                onBlur={onRunQuery}
              />
            </InlineField>
          ))}
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
        {(kind === 'heatmap' || kind === 'series' || kind === 'spectrum' || kind === 'compare') && (
          <InlineField
            label="Legend"
            labelWidth={point?.gauge && kind === 'heatmap' ? 16 : 'auto'}
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
        )}
        {(isHeat || isEvents) && (
          <InlineField
            label="Live"
            htmlFor={id('live')}
            tooltip={
              isEvents
                ? 'Events are shown as they happen. Without it, those of one second are.'
                : 'New columns are shown as they are complete.'
            }
          >
            <InlineSwitch
              id={id('live')}
              value={Boolean(query.live)}
              onChange={(event) => change({ live: event.currentTarget.checked })}
            />
          </InlineField>
        )}
      </InlineFieldRow>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  rows: css({ display: 'flex', flexDirection: 'column', alignItems: 'flex-start', gap: theme.spacing(0.5) }),
  help: css({ margin: 0, color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
});
