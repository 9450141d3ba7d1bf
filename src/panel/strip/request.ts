import type { DataQueryRequest } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import { type Arm, armOf, type Side } from './choice';

/** What of a query of our data source this file knows; all else is handed on as it is. */
interface HeatQuery extends DataQuery {
  kind?: string;
  pom?: string;
  matchers?: Array<{ dimension: string; values: string[] }>;
  baseline?: Arm;
  candidate?: Arm;
  live?: boolean;
}

/** The query of a panel whose heat can be compared over time: the first that is shown. */
export function comparable(
  targets: DataQuery[],
  isOurs: (ref: DataQuery['datasource']) => boolean
): DataQuery | undefined {
  return targets.find(
    (target: HeatQuery) =>
      !target.hide &&
      Boolean(target.pom) &&
      ['heatmap', 'compare'].includes(target.kind ?? '') &&
      isOurs(target.datasource)
  );
}

/**
 * The request for a comparison of two sides, made of a panel's own: the same
 * point, grouped and filtered the same. But the sides say which versions, and
 * of which service, so that filters on them are given up.
 */
export function compareRequest(
  request: DataQueryRequest,
  target: DataQuery,
  baseline: Side,
  candidate: Side
): DataQueryRequest {
  const range = { from: request.range.from.valueOf(), to: request.range.to.valueOf() };
  const { matchers = [], ...query }: HeatQuery = target;
  const sides = [baseline, candidate].filter((side) => side.kind === 'version');
  const service = sides[0]?.service;
  const decided = [...(sides.length > 0 ? ['version'] : []), ...(service ? ['service'] : [])];
  const asked: HeatQuery = {
    ...query,
    refId: 'compare',
    kind: 'compare',
    live: false,
    matchers: [
      ...matchers.filter(({ dimension }) => !decided.includes(dimension)),
      ...(service ? [{ dimension: 'service', values: [service] }] : []),
    ],
    baseline: armOf(baseline, range),
    candidate: armOf(candidate, range),
  };
  return { ...request, requestId: `${request.requestId}-compare`, targets: [asked] };
}
