import { useMemo } from 'react';
import type { DataFrame, InterpolateFunction } from '@grafana/data';
import { config, getDataSourceSrv } from '@grafana/runtime';
import { expand, interpolate } from '../../datasource/interpolate';
import type { Query } from '../../datasource/query.gen';
import { exploreUrl, flameOf, heatOf, mayExplore } from '../../explore';
import type { Row } from './links';
import { waysFrom } from './profiled';
import { insideOf } from './sides';
import type { Opened } from './useOpenCell';

/** Where Explore shows the process of a row, around the time of its cell: its heat, and its flame graph. */
export type Explore = (row: Row & { process: string }) => { heat: string; flame: string };

/** Where a cell of the heat of profiles leads to in Explore, with its addresses. */
export function useWays(
  { cell, profiled, request }: Opened,
  replaceVariables: InterpolateFunction
): Array<{ title: string; url: string }> {
  return useMemo(() => {
    const settings = profiled && getDataSourceSrv().getInstanceSettings(profiled.datasource, request?.scopedVars);
    if (!mayExplore(config) || !settings || !cell.times) {
      return [];
    }
    const { from, to } = cell.times;
    const values = (text: string) => expand(text, request?.scopedVars, replaceVariables);
    return waysFrom(cell, interpolate<Query>(profiled, values)).map(({ title, query }) => ({
      title,
      url: exploreUrl(settings, query, { from: from.valueOf(), to: to.valueOf() }),
    }));
  }, [cell, profiled, request, replaceVariables]);
}

/** Makes the addresses at which Explore shows processes; undefined where there is no Explore. */
export function useExplore(
  { insides, request }: Opened,
  answers: DataFrame[][] | undefined,
  replaceVariables: InterpolateFunction
): Explore | undefined {
  return useMemo(() => {
    const settings =
      insides[0] && getDataSourceSrv().getInstanceSettings(insides[0].target.datasource, request?.scopedVars);
    if (!mayExplore(config) || !request || !settings) {
      return undefined;
    }
    return (row) => {
      const { cell, target } = insideOf(insides, answers ?? [], row);
      const { from, to } = cell.times ?? request.range;
      const pom = replaceVariables(target.pom ?? '', request.scopedVars);
      const times = { from: from.valueOf(), to: to.valueOf() };
      return {
        heat: exploreUrl(settings, heatOf(pom, [row.process]), times),
        flame: exploreUrl(settings, flameOf(row.process), times),
      };
    };
  }, [insides, request, answers, replaceVariables]);
}
