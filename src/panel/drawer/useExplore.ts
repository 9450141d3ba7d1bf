import { useMemo } from 'react';
import type { DataFrame, InterpolateFunction } from '@grafana/data';
import { config, getDataSourceSrv } from '@grafana/runtime';
import { exploreUrl, flameOf, heatOf, mayExplore } from '../../explore';
import type { Row } from './links';
import { insideOf } from './sides';
import type { Opened } from './useOpenCell';

/** Where Explore shows the process of a row, around the time of its cell: its heat, and its flame graph. */
export type Explore = (row: Row & { process: string }) => { heat: string; flame: string };

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
