import { describe, expect, it } from 'vitest';
import { interpolate } from '../../datasource/interpolate';
import { isComplete } from '../../datasource/kinds';
import type { Query } from '../../datasource/query.gen';
import type { OpenedCell } from '../openedCell';
import { profiledIn, waysFrom } from './profiled';

const cell = (row: string): OpenedCell => ({
  refId: 'A',
  series: 'cpu',
  labels: {},
  times: { from: 60_000, to: 120_000 },
  row,
  count: 0.3,
  words: { series: '', where: '', facts: [] },
});
const matchers = [{ dimension: 'service', values: ['shop'] }];
const ofShop = (profile: object) => ({ refId: 'A', kind: 'profile-heat' as const, matchers, profile });

describe('a cell of the heat of profiles', () => {
  it('leads to the flame graph of its function, and to the heat of the same processes', () => {
    const target = profiledIn(cell('main.(*shop).price'), [
      { refId: 'B' },
      ofShop({ process: '42-1', type: 'cpu', groupBy: 'function' }),
    ]);
    expect(waysFrom(cell('main.(*shop).price'), target!)).toEqual([
      {
        title: 'Flame graph with main.(*shop).price',
        query: {
          kind: 'flame',
          matchers,
          profile: { process: '42-1', type: 'cpu', function: '^main\\.\\(\\*shop\\)\\.price$' },
        },
      },
      ...['sched.latency', 'http.request'].map((pom) => ({
        title: expect.any(String),
        query: { kind: 'heatmap', pom, matchers: [...matchers, { dimension: 'process', values: ['42-1'] }] },
      })),
    ]);
  });

  it('leads to the flame graph of its label, or of all where the row is of many or none', () => {
    const flameOf = (row: string, profile: object) => waysFrom(cell(row), ofShop(profile))[0].query.profile;
    expect(flameOf('GET /a', { groupBy: 'label:route' })).toEqual({ label: 'route=GET /a' });
    expect(flameOf('(other)', { groupBy: 'label:route' })).toEqual({});
    expect(flameOf('(none)', {})).toEqual({});
    // What the query keeps itself can't be kept together with a row.
    expect(flameOf('main.work', { function: 'json' })).toEqual({ function: 'json' });
  });

  it('leads to the flame graph of all where the query is of all', () => {
    const [{ query }] = waysFrom(cell('main.work'), { ...ofShop({}), matchers: [] });
    expect(isComplete(query)).toBe(true);
    expect(interpolate(query as Query, (text) => [text]).matchers).toEqual([]);
  });

  it('is not a cell of other heat', () => {
    expect(profiledIn(cell('42-1'), [{ ...ofShop({}), kind: 'heatmap' } as never])).toBeUndefined();
    expect(profiledIn({ ...cell(''), row: undefined }, [ofShop({})])).toBeUndefined();
  });
});
