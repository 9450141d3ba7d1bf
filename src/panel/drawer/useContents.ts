import { useEffect, useMemo, useState } from 'react';
import { type DataFrame, toDataFrame } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import { combineLatest, from, map, switchMap } from 'rxjs';
import { goroutinesFrame } from './contents';
import { cellRequest } from './request';
import type { Opened } from './useOpenCell';

/** What was answered, or why not; nothing of both while the answer is on its way. */
export interface Answer {
  /** Of each inside, in their order. */
  frames?: DataFrame[][];
  error?: string;
}

/** Asks the data source that a cell came from for what is in it, once. */
export function useContents({ cell, insides, request }: Opened): Answer {
  const named = useMemo(
    () => (insides.length > 0 ? undefined : [[goroutinesFrame(cell.goroutines ?? [])]]),
    [cell, insides]
  );
  const [answer, setAnswer] = useState<Answer>({});
  useEffect(() => {
    if (insides.length === 0 || !request) {
      return undefined;
    }
    const answers = insides.map((inside) =>
      from(getDataSourceSrv().get(inside.target.datasource, request.scopedVars)).pipe(
        switchMap((dataSource) => from(dataSource.query(cellRequest(inside, request)))),
        map(({ data, errors = [] }) => {
          if (errors.length > 0) {
            throw errors[0];
          }
          return data.map((frame) => toDataFrame(frame));
        })
      )
    );
    const subscription = combineLatest(answers).subscribe({
      next: (frames) => setAnswer({ frames }),
      error: (problem: unknown) => setAnswer({ error: messageOf(problem) }),
    });
    return () => subscription.unsubscribe();
  }, [insides, request]);
  return named ? { frames: named } : answer;
}

function messageOf(error: unknown): string {
  const { data, message } = (error ?? {}) as { data?: { message?: string }; message?: string };
  return data?.message ?? message ?? String(error);
}
