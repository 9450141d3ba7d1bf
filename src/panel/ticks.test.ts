import { describe, expect, it } from 'vitest';
import { type Scale, toPixel } from './scale';
import { openCells, timeTicks, valueTicks as ticksOf } from './ticks';

describe('the value axis', () => {
  const valueTicks = (scale: Scale, isBinary?: boolean) => ticksOf(scale, isBinary).map(({ value }) => value);

  it('is labelled at round numbers', () => {
    expect(valueTicks({ kind: 'linear', min: 0, max: 0.3, length: 200 })).toEqual([0, 0.1, 0.2, 0.3]);
    expect(valueTicks({ kind: 'linear', min: -7, max: 42, length: 200 })).toEqual([0, 10, 20, 30, 40]);
  });

  it('is labelled at powers of ten on a log scale', () => {
    expect(valueTicks({ kind: 'log', min: 1.2e-7, max: 0.5, length: 260 })).toEqual([
      1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1,
    ]);
  });

  it('is labelled at powers of two where values are written in KiB', () => {
    expect(valueTicks({ kind: 'log', min: 110, max: 5000, length: 300 }, true)).toEqual([
      128, 256, 512, 1024, 2048, 4096,
    ]);
    expect(valueTicks({ kind: 'log', min: 110, max: 2 ** 24, length: 200 }, true)).toEqual([
      256,
      4096,
      65536,
      2 ** 20,
      2 ** 24,
    ]);
    expect(valueTicks({ kind: 'linear', min: 0, max: 3 << 20, length: 140 }, true)).toEqual([
      0,
      1 << 20,
      2 << 20,
      3 << 20,
    ]);
  });

  it('is labelled more finely where there is room, more coarsely where there is not', () => {
    expect(valueTicks({ kind: 'log', min: 1e-3, max: 1e-1, length: 300 })).toEqual([
      0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
    ]);
    expect(valueTicks({ kind: 'log', min: 1e-9, max: 1e3, length: 120 })).toEqual([1e-8, 1e-4, 1]);
  });

  it('has at least two labels however little it covers', () => {
    for (const kind of ['log', 'linear', 'symlog'] as const) {
      expect(valueTicks({ kind, min: 3.1, max: 3.9, length: 80 }).length).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('an axis around zero', () => {
  it('is labelled at zero and at powers of ten on both its sides', () => {
    const values = ticksOf({ kind: 'symlog', linearUpTo: 1, min: -1000, max: 1000, length: 300 }).map((t) => t.value);
    expect(values).toEqual([-1000, -100, -10, 0, 10, 100, 1000]);
  });
});

describe('an axis of buckets', () => {
  const order = { from: Float64Array.of(-Infinity, 0, 10, 20), to: Float64Array.of(0, 10, 20, Infinity) };

  it('is labelled at the ends of its buckets', () => {
    expect(ticksOf({ kind: 'ordinal', min: 0, max: 4, order, length: 200 })).toEqual([
      { place: 0, value: -Infinity },
      { place: 1, value: 0 },
      { place: 2, value: 10 },
      { place: 3, value: 20 },
      { place: 4, value: Infinity },
    ]);
  });

  it.each([40, 90, 200, 700])('is labelled at as many as have room beside each other in %i px', (length) => {
    const many = Float64Array.from({ length: 100 }, (_, i) => i);
    for (const buckets of [order, { from: many, to: many.map((v) => v + 1) }]) {
      const scale = { kind: 'ordinal' as const, min: 0, max: buckets.from.length, order: buckets, length };
      const at = ticksOf(scale).map(({ place }) => toPixel(scale, place));
      expect(at.length).toBeGreaterThan(1);
      expect(Math.min(...at.slice(1).map((pixel, i) => pixel - at[i]))).toBeGreaterThan(14);
    }
  });
});

describe('cells without an end', () => {
  const bounds = { from: Float64Array.of(0, 1, 2), to: Float64Array.of(1, 2, Infinity) };

  it('are zero and infinity where they are drawn on a log axis', () => {
    expect(openCells([bounds], { kind: 'log', min: 0.5, max: 4 })).toEqual([
      { text: '0', from: 0.5, to: 1 },
      { text: '∞', from: 2, to: 4 },
    ]);
  });

  it('are infinity alone on a linear axis, and nothing outside of what is shown', () => {
    expect(openCells([bounds], { kind: 'linear', min: 0, max: 3 })).toEqual([{ text: '∞', from: 2, to: 3 }]);
    expect(openCells([bounds], { kind: 'linear', min: 0, max: 2 })).toEqual([]);
  });
});

describe('the time axis', () => {
  const at = (text: string) => Date.parse(text);
  const texts = (from: string, to: string, most: number, zone: string) =>
    timeTicks(at(from), at(to), most, zone).map(({ text }) => text);

  it('is labelled at round times', () => {
    expect(texts('2026-11-22T10:00:03Z', '2026-11-22T10:05:03Z', 6, 'utc')).toEqual(
      ['10:01:00', '10:02:00', '10:03:00', '10:04:00', '10:05:00'].map((t) => t.slice(0, 5))
    );
  });

  it('is labelled at seconds when it is short', () => {
    expect(texts('2026-11-22T10:00:00Z', '2026-11-22T10:00:30Z', 4, 'utc')).toEqual([
      '10:00:00',
      '10:00:10',
      '10:00:20',
      '10:00:30',
    ]);
  });

  it('is round on the clock of its zone', () => {
    expect(texts('2026-11-22T10:00:00Z', '2026-11-22T13:00:00Z', 3, 'Asia/Kolkata')).toEqual([
      '16:00',
      '17:00',
      '18:00',
    ]);
  });

  it('stays round when the clocks change', () => {
    // Berlin, 25 October 2026: at 3:00 the clocks go back to 2:00.
    const ticks = timeTicks(at('2026-10-24T10:00:00Z'), at('2026-10-25T22:00:00Z'), 6, 'Europe/Berlin');
    expect(ticks.map(({ text }) => text.slice(-5))).toEqual(['12:00', '18:00', '00:00', '06:00', '12:00', '18:00']);
  });
});
