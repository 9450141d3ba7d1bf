import { useEffect, useMemo, useState } from 'react';
import { type DataFrame, type DataQueryRequest, toDataFrame } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import type { DataQuery } from '@grafana/schema';
import { from, switchMap } from 'rxjs';
import type { Choice } from './choice';
import { comparable, compareRequest } from './request';

const ourDataSource = 'gotherm-runtime-datasource';

/** The answer to what a user chose to compare. */
export interface Asked {
  /** Of the last answer; empty before there is one. */
  frames: DataFrame[];
  error?: string;
  /** What was asked for it. */
  request?: DataQueryRequest;
  /** Whether a newer answer is on its way. */
  isLoading: boolean;
}

/** What was answered, and to what. */
interface Answered extends Choice {
  /** The panel's own, and what was made of it. */
  request: DataQueryRequest;
  asked: DataQueryRequest;
  frames: DataFrame[];
  error?: string;
}

/** The query of a panel that a comparison can be made of; undefined where there is none. */
export function comparableQuery(request: DataQueryRequest | undefined): DataQuery | undefined {
  const { targets = [], scopedVars } = request ?? {};
  return comparable(targets, (ref) => getDataSourceSrv().getInstanceSettings(ref, scopedVars)?.type === ourDataSource);
}

/**
 * Asks a panel's data source to compare what was chosen, and again with each
 * request that the panel makes: a range that ends now goes on. Undefined while
 * nothing is chosen.
 */
export function useComparison(
  { baseline, candidate }: Choice = {},
  request: DataQueryRequest | undefined
): Asked | undefined {
  const [answered, setAnswered] = useState<Answered>();

  useEffect(() => {
    const target = comparableQuery(request);
    if (!request || !target || !baseline || !candidate) {
      return undefined;
    }
    const asked = compareRequest(request, target, baseline, candidate);
    const answer = from(getDataSourceSrv().get(target.datasource, request.scopedVars)).pipe(
      switchMap((dataSource) => from(dataSource.query(asked)))
    );
    const to = { baseline, candidate, request, asked };
    const subscription = answer.subscribe({
      next: ({ data, errors = [] }) =>
        setAnswered({
          ...to,
          frames: data.map((frame) => toDataFrame(frame)),
          error: errors.length > 0 ? messageOf(errors[0]) : undefined,
        }),
      error: (error: unknown) => setAnswered({ ...to, frames: [], error: messageOf(error) }),
    });
    return () => subscription.unsubscribe();
  }, [baseline, candidate, request]);

  return useMemo(() => {
    if (!baseline || !candidate) {
      return undefined;
    }
    // What was answered may be of what was chosen before.
    return answered?.baseline === baseline && answered.candidate === candidate
      ? {
          frames: answered.frames,
          error: answered.error,
          request: answered.asked,
          isLoading: answered.request !== request,
        }
      : { frames: [], isLoading: true };
  }, [answered, baseline, candidate, request]);
}

function messageOf(error: unknown): string {
  const { data, message } = (error ?? {}) as { data?: { message?: string }; message?: string };
  return data?.message ?? message ?? String(error);
}
