import { describe, expect, it } from 'vitest';
import { cellOf, drawable, extentOf, isExponential, isExponentialAroundZero, placeOf, toPixel, toValue } from './scale';

const bounds = (...cells: Array<[number, number]>) => ({
  from: Float64Array.from(cells, ([from]) => from),
  to: Float64Array.from(cells, ([, to]) => to),
});

const octaves = bounds([1, 2], [2, 4], [4, 8], [8, 16]);
const even = bounds([0, 10], [10, 20], [20, 30]);

describe('a scale', () => {
  it.each(['linear', 'log'] as const)('that is %s maps its ends to the ends of its length, and back', (kind) => {
    const scale = { kind, min: 1, max: 100, length: 200 };
    expect(toPixel(scale, 1)).toBe(0);
    expect(toPixel(scale, 100)).toBeCloseTo(200, 9);
    expect(toPixel(scale, 10)).toBeCloseTo(kind === 'log' ? 100 : (200 * 9) / 99, 9);
    for (const pixel of [0, 33, 200]) {
      expect(toPixel(scale, toValue(scale, pixel))).toBeCloseTo(pixel, 9);
    }
  });

  it('that is symlog is the same on both sides of zero, and linear near it', () => {
    const scale = { kind: 'symlog' as const, linearUpTo: 1, min: -1000, max: 1000, length: 200 };
    expect([-1000, 0, 1000].map((value) => toPixel(scale, value))).toEqual([0, 100, 200]);
    expect(toPixel(scale, 30) - 100).toBeCloseTo(100 - toPixel(scale, -30), 9);
    expect((toPixel(scale, 0.02) - 100) / (toPixel(scale, 0.01) - 100)).toBeCloseTo(2, 1);
    for (const pixel of [0, 33, 100, 170]) {
      expect(toPixel(scale, toValue(scale, pixel))).toBeCloseTo(pixel, 9);
    }
  });

  it('that is reversed begins with its greatest value', () => {
    const scale = { kind: 'log' as const, min: 1, max: 100, length: 200, isReversed: true };
    expect([1, 10, 100].map((value) => Math.round(toPixel(scale, value)))).toEqual([200, 100, 0]);
    expect(toValue(scale, 0)).toBeCloseTo(100, 9);
  });

  it('that is ordinal finds values in their buckets, in gaps and beyond all', () => {
    const order = bounds([-Infinity, 0], [0, 10], [20, 40]);
    const scale = { kind: 'ordinal' as const, min: 0, max: 3, order };
    expect([-5, 5, 15, 30, 99].map((value) => placeOf(scale, value))).toEqual([0, 1.5, 2, 2.5, 3]);
  });

  it('is log for buckets that grow, not for even ones, nor where there is something below zero', () => {
    expect(isExponential(octaves)).toBe(true);
    expect(isExponential(even)).toBe(false);
    expect(isExponential(bounds([-4, -2], [1, 2], [2, 4]))).toBe(false);
    expect(isExponentialAroundZero(bounds([-4, -2], [1, 2], [2, 4]))).toBe(true);
    expect(isExponentialAroundZero(bounds([-10, 0], [0, 10], [10, 20]))).toBe(false);
    expect(isExponentialAroundZero(octaves)).toBe(false);
  });
});

describe('buckets without an end', () => {
  it('are drawn as wide as their neighbour', () => {
    expect(drawable(bounds([0, 1], [1, 2], [2, Infinity]), { kind: 'log' })).toEqual(bounds([0.5, 1], [1, 2], [2, 4]));
    expect(drawable(bounds([-Infinity, 0], [0, 10], [10, Infinity]), { kind: 'linear' })).toEqual(
      bounds([-10, 0], [0, 10], [10, 20])
    );
  });

  it('keep the bounds that the data has', () => {
    const said = bounds([0, 1], [1, Infinity]);
    drawable(said, { kind: 'log' });
    expect(said).toEqual(bounds([0, 1], [1, Infinity]));
  });
});

describe('what is where', () => {
  it('is found by its lower bound included and its upper bound excluded', () => {
    expect([0.9, 1, 1.9, 2, 15.9, 16].map((value) => cellOf(octaves, value))).toEqual([-1, 0, 0, 1, 3, -1]);
  });

  it('is nothing in a gap', () => {
    expect(cellOf(bounds([1, 2], [4, 8]), 3)).toBe(-1);
  });

  it('reaches from the least to the greatest end', () => {
    expect(extentOf([octaves, even])).toEqual([0, 30]);
    expect(extentOf([])).toBeUndefined();
  });
});
