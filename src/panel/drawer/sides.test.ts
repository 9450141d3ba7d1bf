import { createDataFrame, FieldType } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import type { Report } from '../difference/comparison';
import type { OpenedCell } from '../openedCell';
import type { HeatQuery } from './request';
import { insideOf, insidesOf } from './sides';

const cell: OpenedCell = {
  refId: 'A',
  series: '',
  labels: { node: '0' },
  times: { from: 90_000, to: 92_000 },
  values: { from: 0.001, to: 0.00109 },
  count: 0.02,
  words: { series: '', where: '', facts: [] },
};
const datasource = { type: 'gotherm-runtime-datasource', uid: 'heat' };
const matchers = [{ dimension: 'service', values: ['shop'] }];
const compare: HeatQuery = {
  refId: 'A',
  datasource,
  kind: 'compare',
  pom: 'http.request',
  matchers,
  baseline: { version: '(previous)' },
  candidate: { version: '1.5.0' },
};
const side = (version: string, from: number, to: number) => ({ label: version, version, from, to });
const report = { baseline: side('1.4.0', 0, 60_000), candidate: side('1.5.0', 60_000, 120_000) } as unknown as Report;
const ran = (version: string) => [...matchers, { dimension: 'version', values: [version] }];

describe('a cell of a comparison', () => {
  it('is, of a difference, held against all of the baseline, by the versions that ran', () => {
    const [baseline, candidate] = insidesOf(cell, [compare], report);
    expect(baseline).toMatchObject({ side: 'baseline', cell: { times: { from: 0, to: 60_000 }, values: cell.values } });
    expect(candidate).toMatchObject({ side: 'candidate', cell: { times: cell.times } });
    expect(baseline.target).toEqual({
      refId: 'A',
      datasource,
      kind: 'heatmap',
      pom: 'http.request',
      matchers: ran('1.4.0'),
    });
    expect(candidate.target.matchers).toEqual(ran('1.5.0'));
  });

  it('has its own time in the heat of a side', () => {
    const insides = insidesOf(cell, [compare], report, 'baseline');
    expect(insides).toMatchObject([{ side: 'baseline', cell: { times: cell.times } }]);
    expect(insides[0].target.matchers).toEqual(ran('1.4.0'));
  });

  it('is of one version after the other where the query says nothing', () => {
    const insides = insidesOf(cell, [{ ...compare, baseline: undefined, candidate: undefined } as HeatQuery], report);
    expect(insides.map(({ target }) => target.matchers)).toEqual([ran('1.4.0'), ran('1.5.0')]);
  });

  it('is of all versions where the sides are windows of time', () => {
    const windows: HeatQuery = { ...compare, baseline: {}, candidate: {} };
    expect(insidesOf(cell, [windows], report).map(({ target }) => target.matchers)).toEqual([matchers, matchers]);
  });

  it('has the point and the filters of the query that a side is', () => {
    const other: HeatQuery = { refId: 'B', datasource, kind: 'heatmap', pom: 'gc.stw', matchers: [] };
    const queries: HeatQuery = { ...compare, baseline: { query: 'B' } };
    const [baseline] = insidesOf(cell, [queries, other], report);
    expect(baseline.target).toEqual({ refId: 'A', datasource, kind: 'heatmap', pom: 'gc.stw', matchers: [] });
  });

  it('has nothing inside of a side of which nothing ran', () => {
    const alone = { ...report, baseline: side('', 0, 60_000) } as unknown as Report;
    expect(insidesOf(cell, [compare], alone).map((inside) => inside.side)).toEqual(['candidate']);
    expect(insidesOf({ ...cell, refId: 'C' }, [compare], report)).toEqual([]);
  });
});

describe('a row', () => {
  const processes = (...values: string[]) =>
    createDataFrame({
      meta: { custom: { dimension: 'process' } },
      fields: [{ name: 'value', type: FieldType.string, values }],
    });
  const insides = insidesOf(cell, [compare], report);
  const answers = [[processes('1-1', '3-3')], [processes('2-2', '3-3')]];
  const sideOf = (row: { arm?: 'baseline' | 'candidate'; process?: string }) => insideOf(insides, answers, row).side;

  it('is of the side of its table, else of the one that has its process', () => {
    expect(sideOf({ arm: 'baseline', process: '2-2' })).toBe('baseline');
    expect(sideOf({ process: '1-1' })).toBe('baseline');
    expect(sideOf({ process: '2-2' })).toBe('candidate');
    expect(sideOf({ process: '3-3' })).toBe('candidate');
    expect(sideOf({})).toBe('candidate');
  });
});
