import { type DataSourceInstanceSettings, locationUtil, urlUtil } from '@grafana/data';
import type { config } from '@grafana/runtime';

/** The least that Explore shows of a process, in milliseconds: one column tells little. */
const leastShown = 60_000;

interface Matcher {
  dimension: string;
  values: string[];
}

/** A query that Explore is to answer: the heat of processes, or the profile of what took their CPU. */
export interface Asked {
  kind: 'heatmap' | 'flame';
  pom?: string;
  matchers?: Matcher[];
  profile?: Record<string, unknown>;
}

export const heatOf = (pom: string, processes: string[]): Asked => ({
  kind: 'heatmap',
  pom,
  matchers: [{ dimension: 'process', values: processes }],
});
export const flameOf = (process: string): Asked => ({ kind: 'flame', profile: { process, type: 'cpu' } });

/** Whether there is an Explore, for who looks. */
export const mayExplore = ({ exploreEnabled, bootData }: typeof config) =>
  exploreEnabled && (bootData?.user?.permissions?.['datasources:explore'] ?? true);

/** Where Explore shows the answer to a query, around a time, in milliseconds since 1970. */
export function exploreUrl(
  dataSource: Pick<DataSourceInstanceSettings, 'uid' | 'type'>,
  query: Asked,
  times: { from: number; to: number }
): string {
  const more = Math.max(0, leastShown - (times.to - times.from)) / 2;
  const { uid, type } = dataSource;
  const pane = {
    datasource: uid,
    queries: [{ refId: 'A', datasource: { uid, type }, ...query }],
    range: { from: String(Math.round(times.from - more)), to: String(Math.round(times.to + more)) },
  };
  const url = urlUtil.renderUrl('/explore', { schemaVersion: 1, panes: JSON.stringify({ cell: pane }) });
  return locationUtil.assureBaseUrl(url);
}
