import { describe, expect, it } from 'vitest';
import type { Ramp } from './ramp';
import { TonedGrid } from './toned';

const ramp: Ramp = { min: 1, max: 9, scale: 'linear', steps: 9 };
const count = { ramp };

/** A grid of one row of digits for each line; a dot is no cell. */
function gridOf(drawing: string[], at?: number) {
  const rows = drawing.length;
  const columns = drawing[0].length;
  const sign = (cell: number) => drawing[rows - 1 - (cell % rows)][Math.floor(cell / rows)];
  const number = (text: string) => (text === '.' ? NaN : Number(text));
  return { columns, rows, at, values: Float32Array.from({ length: columns * rows }, (_, cell) => number(sign(cell))) };
}

const tonesOf = (grid: ReturnType<typeof gridOf>, muted?: Uint8Array) => {
  const toned = new TonedGrid();
  toned.take(grid, muted, count);
  return toned.tones;
};

describe('of a grid that is much like the one before', () => {
  const before = ['1234.', '.56.7'];

  it('columns are found again where they have moved to', () => {
    const toned = new TonedGrid();
    toned.take(gridOf(before, 100), undefined, count);
    const after = gridOf(['34.9', '6.78'], 102);
    const kept = toned.take(after, undefined, count);
    expect(kept?.moved).toBe(2);
    expect([...kept!.same]).toEqual([1, 1, 1, 0]);
    expect(toned.tones).toEqual(tonesOf(after));
  });

  it('columns that have grown are not the same', () => {
    const toned = new TonedGrid();
    toned.take(gridOf(before), undefined, count);
    const after = gridOf(['1244.', '.56.7']);
    expect([...toned.take(after, undefined, count)!.same]).toEqual([1, 1, 0, 1, 1]);
    expect(toned.tones).toEqual(tonesOf(after));
  });

  it('columns that came before it are toned', () => {
    const toned = new TonedGrid();
    toned.take(gridOf(before, 10), undefined, count);
    const after = gridOf(['9123', '8.56'], 9);
    expect([...toned.take(after, undefined, count)!.same]).toEqual([0, 1, 1, 1]);
    expect(toned.tones).toEqual(tonesOf(after));
  });

  it('columns of which other cells are muted are not the same', () => {
    const toned = new TonedGrid();
    toned.take(gridOf(['123']), Uint8Array.of(0, 1, 0), count);
    const after = [gridOf(['123']), Uint8Array.of(0, 1, 1)] as const;
    expect([...toned.take(...after, count)!.same]).toEqual([1, 1, 0]);
    expect(toned.tones).toEqual(tonesOf(...after));
    expect(toned.take(gridOf(['123']), undefined, count)).toBeUndefined();
  });

  it.each([
    ['the ramp', { ramp: { ...ramp, max: 8 } }],
    ['its midpoint', { ramp: { ...ramp, midpoint: 5 } }],
    ['the measure', { ramp, measure: 'share' as const }],
    ['the heights', { ramp, measure: 'density' as const, heights: Float64Array.of(1, 3) }],
  ])('nothing is kept when %s is another', (_, tinge) => {
    const toned = new TonedGrid();
    toned.take(gridOf(before), undefined, { ramp, measure: 'density', heights: Float64Array.of(1, 2) });
    expect(toned.take(undefined, undefined, tinge)).toBeUndefined();
    const anew = new TonedGrid();
    anew.take(gridOf(before), undefined, tinge);
    expect(toned.tones).toEqual(anew.tones);
  });

  it('all is kept when only its place on the canvas is another', () => {
    const toned = new TonedGrid();
    toned.take(gridOf(before), undefined, { ramp: { ...ramp, ranks: Float32Array.of(1, 2) } });
    const kept = toned.take(undefined, undefined, { ramp: { ...ramp, ranks: Float32Array.of(1, 2) } });
    expect(kept).toEqual({ moved: 0, same: Uint8Array.of(1, 1, 1, 1, 1) });
  });
});
