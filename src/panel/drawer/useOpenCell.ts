import { useCallback, useMemo, useState } from 'react';
import type { DataQueryRequest } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import type { DataQuery } from '@grafana/schema';
import type { Query } from '../../datasource/query.gen';
import type { Arm } from '../difference/arms';
import type { Report } from '../difference/comparison';
import type { OpenedCell } from '../openedCell';
import { profiledIn } from './profiled';
import { queryOf } from './request';
import { type Inside, insidesOf } from './sides';

const ourDataSource = 'gotherm-runtime-datasource';

/** A cell of a comparison: which, and of which side where it is no difference. */
interface Compared {
  report: Report;
  arm?: Arm;
}

/** A cell, and what to ask for its inside: a goroutine grid says it by itself, and profiles are looked into elsewhere. */
export interface Opened {
  cell: OpenedCell;
  /** The query for profiles that it is in the answer to. */
  profiled?: DataQuery & Query;
  compared?: Compared;
  insides: Inside[];
  request?: DataQueryRequest;
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
    (cell: OpenedCell, compared?: Compared) => {
      const target = queryOf(cell, targets);
      const insides = compared
        ? insidesOf(cell, targets, compared.report, compared.arm)
        : target
          ? [{ cell, target }]
          : [];
      const profiled = profiledIn(cell, targets);
      const isThere = insides.length > 0 || cell.goroutines !== undefined || profiled !== undefined;
      if (isThere) {
        setOpened({ cell, compared, insides, profiled, request });
      }
      return isThere;
    },
    [request, targets]
  );
  const close = useCallback(() => setOpened(undefined), []);
  return { opened, open: targets.length > 0 ? open : undefined, close };
}
