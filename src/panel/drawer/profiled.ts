import type { DataQuery } from '@grafana/schema';
import type { Profile, Query } from '../../datasource/query.gen';
import type { Asked } from '../../explore';
import type { OpenedCell } from '../openedCell';

/** Where a cell of the heat of profiles leads to. */
export interface Way {
  title: string;
  query: Asked;
}

/** The query that a cell is in the answer to, where that is the heat of profiles. */
export function profiledIn(cell: OpenedCell, targets: DataQuery[]): (DataQuery & Query) | undefined {
  const target = targets.find(({ refId }) => refId === cell.refId) as (DataQuery & Query) | undefined;
  return target?.kind === 'profile-heat' && cell.times && cell.row !== undefined ? target : undefined;
}

/** Rows that are many, or none. */
const unnamed = ['(other)', '(none)'];

/**
 * The flame graph of the profiles in a cell, of its function or label alone, and
 * the heat of the same processes. Variables of the query have been replaced.
 */
export function waysFrom({ row = '' }: OpenedCell, { matchers = [], profile = {} }: Query): Way[] {
  const { groupBy, ...asked } = profile;
  const process = profile.process ? [{ dimension: 'process', values: [profile.process] }] : [];
  // A flame graph of everything must be said to be one: a query without a word of whose it is, is still being written.
  const whose = matchers.length > 0 || profile.process ? matchers : [{ dimension: 'service', values: ['*'] }];
  const heat = (pom: string): Asked => ({ kind: 'heatmap', pom, matchers: [...matchers, ...process] });
  return [
    {
      title: unnamed.includes(row) ? 'Flame graph' : `Flame graph with ${row}`,
      query: { kind: 'flame', matchers: whose, profile: { ...asked, ...filterOf(row, profile) } },
    },
    { title: 'Heat of waiting for a CPU', query: heat('sched.latency') },
    { title: 'Heat of requests', query: heat('http.request') },
  ];
}

/** Keeps what is in a row; where the query itself keeps some, that stays as it is. */
function filterOf(row: string, { groupBy = '', function: kept, label }: Profile): Profile {
  const exactly = row.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  if (unnamed.includes(row)) {
    return {};
  }
  return groupBy.startsWith('label:')
    ? { label: label ?? `${groupBy.slice('label:'.length)}=${exactly}` }
    : { function: kept ?? `^${exactly}$` };
}
