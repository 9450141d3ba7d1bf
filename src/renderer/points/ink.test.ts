import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Drops, type Ink, ScriptInk, type Shape, shapeOf } from './ink';
import { SimdInk } from './simd';

/** Ways of adding ink differ by what is rounded: a millionth of the most there is. */
const tolerance = 1e-6;

interface Point {
  column: number;
  row: number;
  weight: number;
}

/** Drops at the pixels that points are on. */
function dropsOf(points: Point[], { radius, stride }: Shape): Drops {
  return {
    cells: Int32Array.from(points, ({ column, row }) => (column + radius) * stride + row + radius),
    weights: Float32Array.from(points, ({ weight }) => weight),
  };
}

function simdOf(shape: Shape): SimdInk {
  const ink = SimdInk.open(shape);
  if (!ink) {
    throw new Error('this machine has no WebAssembly with SIMD, and Node has it');
  }
  return ink;
}

function expectAlike(one: Float32Array, other: Float32Array) {
  const most = one.reduce((max, ink) => Math.max(max, ink), 1e-30);
  expect(one.length).toBe(other.length);
  const wrong = one.findIndex((ink, i) => !(Math.abs(ink - other[i]) <= tolerance * most));
  expect(wrong < 0 || `float ${wrong}: ${one[wrong]}, ${other[wrong]}`).toBe(true);
}

/** What of the ink lies on pixels. */
function seen(ink: Ink, { width, height }: Shape): Float32Array {
  const values = new Float32Array(width * height);
  ink.shade(1, 0, values);
  return values;
}

const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);

/** A canvas, and points on it and around it as far as their ink may be seen. */
const scenes = fc
  .record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
    sigma: fc.double({ min: 0.5, max: 6, noNaN: true }),
  })
  .map(({ width, height, sigma }) => shapeOf(width, height, sigma))
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      points: fc.array(
        fc.record({
          column: fc.integer({ min: -shape.radius, max: shape.width + shape.radius - 1 }),
          row: fc.integer({ min: -shape.radius, max: shape.height + shape.radius - 1 }),
          weight: fc.oneof(fc.constant(1), fc.double({ min: 1e-3, max: 1e6, noNaN: true })),
        }),
        { maxLength: 60 }
      ),
    })
  );

describe('ink', () => {
  test('of a point is as much as its weight, wherever it is', () => {
    fc.assert(
      fc.property(scenes, ({ shape, points }) => {
        const total = points.reduce((all, { weight }) => all + weight, 0);
        for (const ink of [new ScriptInk(shape), simdOf(shape)]) {
          for (const add of ['splat', 'blur'] as const) {
            ink.field.fill(0);
            ink[add](dropsOf(points, shape));
            expect(Math.abs(sum(ink.field) - total)).toBeLessThanOrEqual(1e-5 * total);
          }
        }
      }),
      { numRuns: 40 }
    );
  });

  test('of points away from the edges is all seen; of one at a corner a quarter and what its own lines have', () => {
    const shape = shapeOf(41, 31, 2);
    const ink = new ScriptInk(shape);
    ink.splat(dropsOf([{ column: 20, row: 15, weight: 8 }], shape));
    expect(sum(seen(ink, shape))).toBeCloseTo(8, 5);
    ink.field.fill(0);
    ink.splat(dropsOf([{ column: 0, row: 0, weight: 8 }], shape));
    const half = (1 + shape.taps[shape.radius]) / 2;
    expect(sum(seen(ink, shape))).toBeCloseTo(8 * half ** 2, 5);
  });

  test('is a Gaussian: one deviation away it is e^-1/2 of the middle', () => {
    const shape = shapeOf(41, 41, 4);
    const ink = simdOf(shape);
    ink.splat(dropsOf([{ column: 20, row: 20, weight: 1 }], shape));
    const at = (column: number, row: number) => seen(ink, shape)[column * 41 + row];
    expect(at(24, 20) / at(20, 20)).toBeCloseTo(Math.exp(-0.5), 6);
    expect(at(20, 12) / at(20, 20)).toBeCloseTo(Math.exp(-2), 6);
    expect(at(24, 16) / at(20, 20)).toBeCloseTo(Math.exp(-1), 6);
    // The Gaussian's own height, but for what is cut off at three deviations.
    expect(at(20, 20) * 2 * Math.PI * 16).toBeGreaterThan(1);
    expect(at(20, 20) * 2 * Math.PI * 16).toBeLessThan(1.01);
  });

  test('that is counted and blurred is the same as that which is splatted', () => {
    fc.assert(
      fc.property(scenes, ({ shape, points }) => {
        const drops = dropsOf(points, shape);
        for (const [one, other] of [
          [new ScriptInk(shape), new ScriptInk(shape)],
          [simdOf(shape), simdOf(shape)],
        ]) {
          one.splat(drops);
          other.blur(drops);
          expectAlike(seen(one, shape), seen(other, shape));
        }
      }),
      { numRuns: 100 }
    );
  });

  test('is the same with SIMD as in typed arrays, in what is seen and in the margins', () => {
    fc.assert(
      fc.property(scenes, ({ shape, points }) => {
        const drops = dropsOf(points, shape);
        for (const add of ['splat', 'blur'] as const) {
          const [oracle, ink] = [new ScriptInk(shape), simdOf(shape)];
          // Twice: what was there stays.
          for (const more of [drops, dropsOf(points.slice(0, 3), shape)]) {
            oracle[add](more);
            ink[add](more);
          }
          expectAlike(oracle.field, ink.field);
        }
      }),
      { numRuns: 100 }
    );
  });

  test('is read alike: times a factor, and none where it is faint', () => {
    fc.assert(
      fc.property(scenes, fc.double({ min: 0.01, max: 10, noNaN: true }), ({ shape, points }, factor) => {
        const inks = [new ScriptInk(shape), simdOf(shape)];
        const faintest = factor * shape.taps[shape.radius] ** 2;
        const [[a, most], [b, same]] = inks.map((ink) => {
          ink.splat(dropsOf(points, shape));
          const values = new Float32Array(shape.width * shape.height);
          return [values, ink.shade(factor, faintest, values)] as const;
        });
        expect(Math.abs(most - same)).toBeLessThanOrEqual(tolerance * most);
        const brightest = a.reduce((max, ink) => (ink > max ? ink : max), 0);
        expect(brightest).toBe(most >= faintest ? Math.fround(most) : 0);
        for (let i = 0; i < a.length; i++) {
          const isNear = Math.abs((Number.isNaN(a[i]) ? b[i] : a[i]) - faintest) < 1e-5 * most;
          const isSame = Object.is(a[i], b[i]) || Math.abs(a[i] - b[i]) <= tolerance * most;
          expect(isSame || isNear).toBe(true);
        }
      }),
      { numRuns: 60 }
    );
  });

  test('of more points than are handed over at once is that of all of them', () => {
    const shape = shapeOf(100, 50, 1);
    const points = Array.from({ length: 40_000 }, (_, i) => ({ column: i % 100, row: (i >> 3) % 50, weight: 1 }));
    const ink = simdOf(shape);
    ink.splat(dropsOf(points, shape));
    expect(sum(ink.field)).toBeCloseTo(40_000, -1);
  });

  test('has no sigma that is not offered', () => {
    for (const sigma of [0, 0.4, 65, NaN]) {
      expect(() => shapeOf(10, 10, sigma)).toThrow(`sigma of ${sigma} pixels, must be 0.5 to 64`);
    }
  });
});
