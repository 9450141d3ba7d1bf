import { describe, expect, it } from 'vitest';
import { cellOf, drawable, extentOf, isExponential, toPixel, toValue } from './scale';

const bounds = (...cells: Array<[number, number]>) => ({
  from: Float64Array.from(cells, ([from]) => from),
  to: Float64Array.from(cells, ([, to]) => to),
});

const octaves = bounds([1, 2], [2, 4], [4, 8], [8, 16]);
const even = bounds([0, 10], [10, 20], [20, 30]);

describe('a scale', () => {
  it.each([false, true])('maps its ends to the ends of its length (log: %s), and back', (log) => {
    const scale = { log, min: 1, max: 100, length: 200 };
    expect(toPixel(scale, 1)).toBe(0);
    expect(toPixel(scale, 100)).toBeCloseTo(200, 9);
    expect(toPixel(scale, 10)).toBeCloseTo(log ? 100 : (200 * 9) / 99, 9);
    for (const pixel of [0, 33, 200]) {
      expect(toPixel(scale, toValue(scale, pixel))).toBeCloseTo(pixel, 9);
    }
  });

  it('is log for buckets that grow, not for even ones, nor where there is something below zero', () => {
    expect(isExponential(octaves)).toBe(true);
    expect(isExponential(even)).toBe(false);
    expect(isExponential(bounds([-4, -2], [1, 2], [2, 4]))).toBe(false);
  });
});

describe('buckets without an end', () => {
  it('are drawn as wide as their neighbour', () => {
    expect(drawable(bounds([0, 1], [1, 2], [2, Infinity]), true)).toEqual(bounds([0.5, 1], [1, 2], [2, 4]));
    expect(drawable(bounds([-Infinity, 0], [0, 10], [10, Infinity]), false)).toEqual(
      bounds([-10, 0], [0, 10], [10, 20])
    );
  });

  it('keep the bounds that the data has', () => {
    const said = bounds([0, 1], [1, Infinity]);
    drawable(said, true);
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
