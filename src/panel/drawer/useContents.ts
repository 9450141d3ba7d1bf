import { useEffect, useMemo, useState } from 'react';
import { type DataFrame, toDataFrame } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import { from, switchMap } from 'rxjs';
import { goroutinesFrame } from './contents';
import { cellRequest } from './request';
import type { Opened } from './useOpenCell';

/** What was answered, or why not; nothing of both while the answer is on its way. */
export interface Answer {
  frames?: DataFrame[];
  error?: string;
}

/** Asks the data source that a cell came from for what is in it, once. */
export function useContents({ cell, ask }: Opened): Answer {
  const named = useMemo(() => (ask ? undefined : [goroutinesFrame(cell.goroutines ?? [])]), [cell, ask]);
  const [answer, setAnswer] = useState<Answer>({});
  useEffect(() => {
    if (!ask) {
      return undefined;
    }
    const { target, request } = ask;
    const subscription = from(getDataSourceSrv().get(target.datasource, request.scopedVars))
      .pipe(switchMap((dataSource) => from(dataSource.query(cellRequest(cell, target, request)))))
      .subscribe({
        next: ({ data, errors = [] }) =>
          setAnswer({
            frames: data.length > 0 ? data.map((frame) => toDataFrame(frame)) : undefined,
            error: errors.length > 0 ? messageOf(errors[0]) : undefined,
          }),
        error: (problem: unknown) => setAnswer({ error: messageOf(problem) }),
      });
    return () => subscription.unsubscribe();
  }, [cell, ask]);
  return named ? { frames: named } : answer;
}

function messageOf(error: unknown): string {
  const { data, message } = (error ?? {}) as { data?: { message?: string }; message?: string };
  return data?.message ?? message ?? String(error);
}
