import { createDataFrame, type DataFrame, FieldType } from '@grafana/data';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hitsIn, joinSides } from './compared';
import { readContents } from './contents';

/** The table of a dimension as pkg/frames makes it; with a last row for `untold` hits, where there are any. */
function part(dimension: string, counts: Record<string, number>, untold = 0): DataFrame {
  const values = [...Object.keys(counts), ...(untold > 0 ? ['others'] : [])];
  const hits = [...Object.values(counts), ...(untold > 0 ? [untold] : [])];
  const count = hits.reduce((sum, n) => sum + n, 0);
  return createDataFrame({
    name: dimension,
    meta: { custom: { dimension, count, others: untold > 0 } },
    fields: [
      { name: 'value', type: FieldType.string, values },
      { name: 'count', type: FieldType.number, values: hits },
      { name: 'share', type: FieldType.number, values: hits.map((n) => n / count) },
    ],
  });
}

const goroutines = createDataFrame({
  name: 'goroutines',
  meta: { custom: { pom: 'http.request' } },
  fields: [{ name: 'goroutine', type: FieldType.string, values: ['7'] }],
});

const rowsOf = ({ fields }: DataFrame) => fields[0].values.map((_, row) => fields.map(({ values }) => values[row]));

describe('the two sides of a cell', () => {
  it('are shares of the same values, what the candidate has most of first', () => {
    const [functions] = joinSides({
      baseline: [part('function', { 'main.serve': 90, 'main.old': 10 })],
      candidate: [part('function', { 'main.retry': 3, 'main.serve': 1 })],
    });
    expect(rowsOf(functions)).toEqual([
      ['main.retry', 0, 0.75],
      ['main.serve', 0.9, 0.25],
      ['main.old', 0.1, 0],
    ]);
  });

  it('say of a value that is among others on one side that its share is not told there', () => {
    const [functions] = joinSides({
      baseline: [part('function', { 'main.serve': 6, others: 1 }, 3)],
      candidate: [part('function', { 'main.serve': 1, 'main.retry': 1 })],
    });
    expect(rowsOf(functions)).toEqual([
      ['main.serve', 0.6, 0.5],
      ['main.retry', null, 0.5],
      ['others', 0.1, 0],
      ['others', 0.3, 0],
    ]);
    expect(readContents([functions]).sections[0].others).toBe(3);
  });

  it('are not known of a dimension that one side says nothing of', () => {
    const [, routes] = joinSides({
      baseline: [part('process', { '1-1': 5 })],
      candidate: [part('process', { '1-1': 5 }), part('route', { '/pay': 5 })],
    });
    expect(rowsOf(routes)).toEqual([
      ['/pay', 0, 1],
      ['', 1, 0],
    ]);
  });

  it('are one fact where they are alike in all, and name whose goroutines are listed', () => {
    const side = (version: string) => [part('service', { shop: 4 }), part('version', { [version]: 4 }), goroutines];
    const { facts, sections } = readContents(joinSides({ baseline: side('1.4.0'), candidate: side('1.5.0') }));
    expect(facts).toEqual([{ name: 'Service', dimension: 'service', value: 'shop' }]);
    expect(sections.map(({ title }) => title)).toEqual([
      'Version',
      'Goroutines of the candidate',
      'Goroutines of the baseline',
    ]);
  });

  it('lose no hit: where all is told, shares of either side add up to 1', () => {
    const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', ''), fc.integer({ min: 1, max: 1000 }), { minKeys: 1 });
    fc.assert(
      fc.property(counts, fc.nat(9), counts, fc.nat(9), (before, rest, after, restAfter) => {
        const sides = { baseline: [part('function', before, rest)], candidate: [part('function', after, restAfter)] };
        const [{ fields }] = joinSides(sides);
        for (const { values } of fields.slice(1)) {
          expect(values.reduce((sum: number, share) => sum + (share ?? 0), 0)).toBeCloseTo(1, 9);
        }
        expect(hitsIn(sides.candidate)).toBe(Object.values(after).reduce((sum, n) => sum + n, restAfter));
      })
    );
  });
});
