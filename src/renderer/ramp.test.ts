import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heatOn, levelOn, type Ramp, ranksOf } from './ramp';

describe('heat', () => {
  it('is even on a linear ramp', () => {
    const heat = heatOn({ min: 0, max: 10, scale: 'linear', steps: 5 });
    expect([0, 2.5, 10].map(heat)).toEqual([0, 0.25, 1]);
  });

  it('is even in factors on a log ramp', () => {
    const heat = heatOn({ min: 1, max: 10_000, scale: 'log', steps: 5 });
    expect(heat(100)).toBeCloseTo(0.5, 12);
  });

  it('on a symlog ramp is even in differences near zero, and in factors far from it, on both sides', () => {
    const heat = heatOn({ min: -1000, max: 1000, scale: 'symlog', linearUpTo: 1, steps: 5 });
    expect(heat(0)).toBeCloseTo(0.5, 12);
    expect(heat(0.002) - heat(0.001)).toBeCloseTo(heat(0.001) - heat(0), 5);
    expect(heat(1000) - heat(500)).toBeCloseTo(heat(500) - heat(250), 2);
    expect(heat(-30)).toBeCloseTo(1 - heat(30), 12);
  });

  it('on a rank ramp is the share of cells that have less, of those that have less than the most', () => {
    const counts = Float32Array.of(1, NaN, 1, 1, 1, 2, 3, 4, 1000, NaN);
    const heat = heatOn({ min: 1, max: 1000, scale: 'rank', ranks: ranksOf([counts]), steps: 5 });
    // Below 1000, the most, are seven.
    expect(heat(1)).toBe(0);
    expect(heat(2)).toBeCloseTo(4 / 7, 2);
    expect(heat(3)).toBeCloseTo(5 / 7, 2);
    expect(heat(4)).toBeCloseTo(6 / 7, 2);
    expect(heat(1000)).toBe(1);
  });

  it('has its middle at the midpoint, however far the ends are from it', () => {
    const heat = heatOn({ min: -1, max: 9, midpoint: 0, scale: 'linear', steps: 5 });
    expect([-1, -0.5, 0, 4.5, 9].map(heat)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it('has a midpoint on a log ramp, too', () => {
    const heat = heatOn({ min: 0.1, max: 100, midpoint: 1, scale: 'log', steps: 5 });
    expect([0.1, 1, 10, 100].map(heat)).toEqual([0, 0.5, 0.75, 1]);
  });

  it('stays in the ramp for values outside of it', () => {
    const ranks = ranksOf([Float32Array.of(0, 1, 2, 5, 8, 9)]);
    for (const scale of ['linear', 'log', 'symlog', 'rank'] as const) {
      const heat = heatOn({ min: 2, max: 8, scale, ranks, steps: 5 });
      expect([-Infinity, 0, 1, 9, Infinity].map(heat)).toEqual([0, 0, 0, 1, 1]);
      const diverging = heatOn({ min: 2, max: 8, midpoint: 5, scale, ranks, steps: 5 });
      expect([-Infinity, 0, 1, 5, 9, Infinity].map(diverging)).toEqual([0, 0, 0, 0.5, 1, 1]);
    }
  });

  it('is hot where all values are the same', () => {
    expect(heatOn({ min: 5, max: 5, scale: 'log', steps: 5 })(5)).toBe(1);
    const ranks = ranksOf([Float32Array.of(5, 5, 5)]);
    expect(heatOn({ min: 5, max: 5, scale: 'rank', ranks, steps: 5 })(5)).toBe(1);
  });

  it('has no side of a midpoint where the ramp ends', () => {
    const heat = heatOn({ min: 0, max: 10, midpoint: 0, scale: 'linear', steps: 5 });
    expect([-1, 0, 5, 10].map(heat)).toEqual([0, 0.5, 0.75, 1]);
  });

  it('needs ranks on a rank ramp', () => {
    expect(() => heatOn({ min: 0, max: 1, scale: 'rank', steps: 5 })).toThrow('ranksOf');
  });
});

it('heat becomes a level from 1 to steps', () => {
  const level = levelOn({ min: 1, max: 9, scale: 'linear', steps: 2 });
  expect([1, 4.9, 5, 9, 900].map(level)).toEqual([1, 1, 2, 2, 2]);
});

describe('ranks', () => {
  it('are those of all values together, whichever they are', () => {
    const values = Float32Array.from({ length: 10_000 }, (_, i) => (i % 3 === 0 ? -1 : 1) * Math.exp((i * 7919) % 83));
    const ranks = ranksOf([values.subarray(0, 17), values.subarray(17)], 8);
    const sorted = values.toSorted();
    const below = (value: number) => sorted.findIndex((other) => other >= value) / sorted.indexOf(sorted[9_999]);
    expect([ranks[0], ranks[8]]).toEqual([sorted[0], sorted[9_999]]);
    ranks.forEach((value, part) => {
      expect(below(value)).toBeGreaterThanOrEqual(part / 8);
      const before = sorted[sorted.indexOf(value) - 1];
      expect(part === 0 || below(before) < part / 8).toBe(true);
    });
  });

  it('are what sorting all values says, of small counts, large ones and anything between', () => {
    const count = fc.oneof(fc.nat(9), fc.nat(3000), fc.nat(2 ** 30), fc.constant(NaN));
    const value = fc.oneof(
      count,
      fc.float({ noNaN: true }).map((v) => v + 0)
    );
    fc.assert(
      fc.property(fc.array(fc.array(value), { maxLength: 3 }), fc.integer({ min: 1, max: 9 }), (all, parts) => {
        const ranks = ranksOf(
          all.map((values) => Float64Array.from(values)),
          parts
        );
        const sorted = Float32Array.from(all.flat().filter((v) => !Number.isNaN(v))).sort();
        const below = sorted.indexOf(sorted[sorted.length - 1]);
        const expected = Array.from(ranks, (_, part) => {
          const least = sorted.find((v) => sorted.indexOf(v) >= Math.ceil((part * below) / parts));
          return least ?? 0;
        });
        expect([...ranks]).toEqual(expected);
      })
    );
  });

  it('make about equally many cells of each colour where values differ', () => {
    const values = Float64Array.from({ length: 6400 }, (_, i) => 1.01 ** ((i * 4001) % 6400));
    const ramp: Ramp = { min: 1, max: 1.01 ** 6399, scale: 'rank', ranks: ranksOf([values]), steps: 64 };
    const cells = new Array(65).fill(0);
    values.map(levelOn(ramp)).forEach((level) => cells[level]++);
    expect(Math.min(...cells.slice(1))).toBeGreaterThan(90);
    expect(Math.max(...cells)).toBeLessThan(110);
  });

  it('do not change the values', () => {
    const values = Float32Array.of(3, 1, 2);
    ranksOf([values]);
    expect([...values]).toEqual([3, 1, 2]);
  });

  it('are there where no value is', () => {
    expect(heatOn({ min: 1, max: 1, scale: 'rank', ranks: ranksOf([Float32Array.of(NaN)]), steps: 2 })(1)).toBe(1);
  });
});
