import { useMemo } from 'react';
import { config, getDataSourceSrv } from '@grafana/runtime';
import { exploreUrl } from './links';
import type { Opened } from './useOpenCell';

/** Makes the address at which Explore shows a process around the time of a cell; undefined where there is no Explore. */
export function useExplore({ cell, ask }: Opened): ((process: string) => string) | undefined {
  return useMemo(() => {
    const may = config.bootData?.user?.permissions?.['datasources:explore'] ?? true;
    const times = cell.times ?? ask?.request.range;
    if (!config.exploreEnabled || !may || !ask || !times) {
      return undefined;
    }
    const { target, request } = ask;
    const dataSource = getDataSourceSrv().getInstanceSettings(target.datasource, request.scopedVars);
    const range = { from: times.from.valueOf(), to: times.to.valueOf() };
    const pom = target.pom ?? '';
    return dataSource && ((process) => exploreUrl(dataSource, pom, process, range));
  }, [cell, ask]);
}
