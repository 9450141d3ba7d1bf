import { describe, expect, it } from 'vitest';
import { heightsOf, measured } from './measure';

/** Two columns of three rows; the second column has one cell. */
const grid = { columns: 2, rows: 3, values: Float64Array.of(1, 2, 5, NaN, 4, NaN) };

describe('what is shown of cells', () => {
  it('is their count', () => {
    expect(measured(grid, 'count')).toBe(grid.values);
  });

  it('is their share of the column', () => {
    expect([...measured(grid, 'share')]).toEqual([1 / 8, 2 / 8, 5 / 8, NaN, 1, NaN]);
  });

  it('is their count per height of the row', () => {
    expect([...measured(grid, 'density', [0.5, 1, 10])]).toEqual([2, 2, 0.5, NaN, 4, NaN]);
  });

  it('leaves the grid as it is', () => {
    measured(grid, 'share');
    measured(grid, 'density', [1, 2, 3]);
    expect([...grid.values]).toEqual([1, 2, 5, NaN, 4, NaN]);
  });

  it('needs heights where it is per height', () => {
    expect(() => measured(grid, 'density', [1, 2])).toThrow('density: 2 heights for 3 rows');
  });
});

describe('the density of an even spread', () => {
  it('is the same however fine the buckets are: on a log axis per doubling', () => {
    // Ten hits in each doubling, the second of which is cut in two.
    const heights = heightsOf([1, 2, 2 * Math.SQRT2], [2, 2 * Math.SQRT2, 4], true);
    const density = measured({ columns: 1, rows: 3, values: Float64Array.of(10, 5, 5) }, 'density', heights);
    density.forEach((value) => expect(value).toBeCloseTo(10, 9));
  });

  it('is per unit on a linear axis', () => {
    const heights = heightsOf([0, 10, 15], [10, 15, 20], false);
    const density = measured({ columns: 1, rows: 3, values: Float64Array.of(20, 10, 10) }, 'density', heights);
    expect([...density]).toEqual([2, 2, 2]);
  });
});
