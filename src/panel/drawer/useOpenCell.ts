import { useCallback, useMemo, useState } from 'react';
import type { DataQueryRequest } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import type { OpenedCell } from '../openedCell';
import { type HeatQuery, queryOf } from './request';

const ourDataSource = 'gotherm-runtime-datasource';

/** A cell, and what to ask for its inside: a goroutine grid says it by itself. */
export interface Opened {
  cell: OpenedCell;
  ask?: { target: HeatQuery; request: DataQueryRequest };
}

/** Which cell is open. `open` is undefined where no cell of the panel can be. */
export function useOpenCell(request: DataQueryRequest | undefined) {
  const [opened, setOpened] = useState<Opened>();
  const targets = useMemo(
    () =>
      (request?.targets ?? []).filter(
        ({ datasource }) =>
          getDataSourceSrv().getInstanceSettings(datasource, request?.scopedVars)?.type === ourDataSource
      ),
    [request]
  );
  const open = useCallback(
    (cell: OpenedCell) => {
      const target = queryOf(cell, targets);
      if (request && target) {
        setOpened({ cell, ask: { target, request } });
      } else if (cell.goroutines) {
        setOpened({ cell });
      }
      return Boolean((request && target) || cell.goroutines);
    },
    [request, targets]
  );
  const close = useCallback(() => setOpened(undefined), []);
  return { opened, open: targets.length > 0 ? open : undefined, close };
}
