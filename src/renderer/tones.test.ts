import { describe, expect, it } from 'vitest';
import { levelOn, type Ramp, ranksOf } from './ramp';
import { Toner, toneTable } from './tones';

/** The level of each value as its tone's colour says it; 0 where there is no cell, -1 where it is muted. */
function levelsOf(values: Float32Array, ramp: Ramp, muted?: Uint8Array): number[] {
  const tones = new Uint8Array(values.length);
  new Toner(ramp).fill(tones, values, muted);
  const table = toneTable(
    ramp,
    Uint32Array.from({ length: ramp.steps + 1 }, (_, level) => level),
    1000
  );
  return Array.from(tones, (tone) => (table[tone] === 1000 ? -1 : table[tone]));
}

/** Floats of all sizes and both signs, with those next to them. */
const floats = Float32Array.from({ length: 20_000 }, (_, i) => {
  const size = 10 ** (((i * 7919) % 241) / 10 - 12);
  return (i % 2 === 0 ? 1 : -1) * size * (1 + (i % 5) * 1e-7);
});
/** Floats that are near to each other, on both sides of zero. */
const near = Float32Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (99.9 + i / 5000));
const special = Float32Array.of(0, -0, Infinity, -Infinity, 1, 2 ** -149, -(2 ** -149), 3.4028234e38, -3.4028234e38);

describe.each<Ramp>([
  { min: 0, max: 10, scale: 'linear', steps: 64 },
  { min: -3, max: 1e6, scale: 'linear', steps: 253 },
  { min: 1, max: 1e6, scale: 'log', steps: 128 },
  { min: 1e-9, max: 1e-3, scale: 'log', steps: 7, midpoint: 1e-5 },
  { min: -1e6, max: 1e6, scale: 'symlog', steps: 65, midpoint: 0 },
  { min: -1, max: 5, scale: 'symlog', linearUpTo: 0.1, steps: 64 },
  { min: -1e9, max: 1e9, scale: 'rank', ranks: ranksOf([floats]), steps: 64 },
  { min: 5, max: 5, scale: 'linear', steps: 64 },
  { min: 1, max: 2, scale: 'linear', steps: 1 },
  // So narrow that floats of several levels begin alike.
  { min: 100, max: 100.5, scale: 'log', steps: 128 },
  { min: -100.5, max: -100, scale: 'linear', steps: 100, midpoint: -100.2 },
])('a $scale ramp from $min to $max in $steps steps', (ramp) => {
  it('gives each value the level that legend and tooltip say', () => {
    for (const values of [floats, near, special]) {
      expect(levelsOf(values, ramp)).toEqual(Array.from(values, levelOn(ramp)));
    }
  });
});

describe('tones', () => {
  const ramp: Ramp = { min: 0, max: 10, scale: 'linear', steps: 5 };

  it('are 0 where there is no cell, however its NaN is written', () => {
    const values = new Float32Array(Uint32Array.of(0x7fc00000, 0x7f800001, 0xffc00000, 0xff800001).buffer);
    expect(levelsOf(values, ramp)).toEqual([0, 0, 0, 0]);
  });

  it('are muted where a cell is, and nowhere else', () => {
    expect(levelsOf(Float32Array.of(1, 9, NaN, 9), ramp, Uint8Array.of(0, 1, 1, 0))).toEqual([1, -1, 0, 5]);
  });

  it('are filled only where they shall', () => {
    const tones = Uint8Array.of(77, 77, 77, 77);
    new Toner(ramp).fill(tones, Float32Array.of(1, 1, 1, 1), undefined, 1, 3);
    expect([...tones]).toEqual([77, 2, 2, 77]);
  });

  it('rise with heat', () => {
    const tones = new Uint8Array(5);
    new Toner(ramp).fill(tones, Float32Array.of(1, 3, 5, 7, 9));
    expect([...tones]).toEqual([2, 3, 4, 5, 6]);
  });

  it('rise with the distance from a midpoint, so that neither side hides the other', () => {
    const tones = new Uint8Array(5);
    new Toner({ ...ramp, midpoint: 5 }).fill(tones, Float32Array.of(1, 3, 5, 7, 9));
    const [coldest, cold, middle, hot, hottest] = tones;
    expect(Math.min(coldest, hottest)).toBeGreaterThan(Math.max(cold, hot));
    expect(Math.min(cold, hot)).toBeGreaterThan(middle);
  });

  it('do not fit in a byte where there are too many steps', () => {
    expect(() => new Toner({ ...ramp, steps: 254 })).toThrow('254 steps, must be 1 to 253');
  });
});
