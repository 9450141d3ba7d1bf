import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Field, type Shaded } from './field';
import { TooManyPoints } from './kept';
import { maxPoints, type Points, type Spray, together } from './spray';

interface Point {
  x: number;
  y: number;
  weight?: number;
}

const pointsOf = (points: Point[]): Points => ({
  x: Float64Array.from(points, ({ x }) => x),
  y: Float64Array.from(points, ({ y }) => y),
  weight: Float32Array.from(points, ({ weight = 1 }) => weight),
});

/** A canvas of 100 x 40 pixels that shows 100 s of a value from 0 to 40. */
const size = [100, 40] as const;
const sprayOf = (points: Point[], more: Partial<Spray> = {}): Spray => ({
  isNew: false,
  added: [pointsOf(points)],
  dropped: 0,
  x: { from: 0, to: 100 },
  y: { from: 0, to: 40 },
  sigma: 1,
  area: 1,
  ...more,
});

/** In Node there is no graphics processor to wait for. */
const draw = (field: Field, spray: Spray, width = size[0] as number, height = size[1] as number) =>
  field.draw(spray, width, height) as Shaded;

const inkAt = (field: Field, spray: Spray, column: number, row: number) =>
  draw(field, spray).grid.values[column * size[1] + row];

const sum = (values: Float32Array) => values.reduce((total, value) => total + (value || 0), 0);

describe('ink that fades', () => {
  test('has half its strength after a half-life, and a quarter after two', () => {
    const field = new Field();
    const fresh = inkAt(field, sprayOf([{ x: 100, y: 20 }], { x: { from: 10, to: 110 }, halfLife: 10 }), 90, 20);
    const at = (to: number) => inkAt(field, sprayOf([], { x: { from: to - 100, to }, halfLife: 10 }), 200 - to, 20);
    expect(at(120) / fresh).toBeCloseTo(1 / 2, 6);
    expect(at(125) / fresh).toBeCloseTo(2 ** -1.5, 6);
    expect(at(130) / fresh).toBeCloseTo(1 / 4, 6);
  });

  test('is as strong as if it had been added later: nothing adds up while it fades', () => {
    const field = new Field();
    const halfLife = 5;
    draw(field, sprayOf([{ x: 99, y: 20 }], { halfLife }));
    let last = NaN;
    // 10 half-lives in steps of a 17th of one, and a good deal stronger, so that it is still to be seen.
    draw(field, sprayOf([{ x: 99, y: 10, weight: 1000 }], { halfLife }));
    for (let step = 1; step <= 170; step++) {
      const to = 100 + (step * halfLife) / 17;
      last = inkAt(field, sprayOf([], { x: { from: to - 100, to }, halfLife }), 99 - Math.round(to - 100), 10);
    }
    const range = { from: 50, to: 150 };
    const anew = inkAt(new Field(), sprayOf([{ x: 99, y: 10, weight: 1000 }], { x: range, halfLife }), 49, 10);
    expect(last / anew).toBeCloseTo(1, 5);
  });

  test('is gone when it is fainter than a twentieth of a fresh point', () => {
    const field = new Field();
    const at = (to: number) => inkAt(field, sprayOf([], { x: { from: to - 100, to }, halfLife: 1 }), 199 - to, 20);
    draw(field, sprayOf([{ x: 99.5, y: 20 }], { halfLife: 1 }));
    expect(at(103)).toBeGreaterThan(0);
    expect(at(104)).toBeNaN();
  });

  test('stays exact through many half-lives', () => {
    const field = new Field();
    let last = { x: 0, value: 0 };
    for (let to = 100; to < 600; to += 7) {
      const value = inkAt(field, sprayOf([{ x: to - 0.5, y: 20 }], { x: { from: to - 100, to }, halfLife: 1 }), 99, 20);
      last = { x: to, value };
    }
    const range = { from: last.x - 100, to: last.x };
    const anew = inkAt(new Field(), sprayOf([{ x: last.x - 0.5, y: 20 }], { x: range, halfLife: 1 }), 99, 20);
    expect(last.value / anew).toBeCloseTo(1, 5);
  });
});

describe('points on a canvas', () => {
  test('are where their axes say: columns from the left, rows from the bottom', () => {
    const { grid } = draw(new Field(), sprayOf([{ x: 30.5, y: 12.5, weight: 3 }]));
    const hottest = grid.values.reduce((best, ink, i) => (ink > (grid.values[best] || 0) ? i : best), 0);
    expect([Math.floor(hottest / 40), hottest % 40]).toEqual([30, 12]);
    expect(grid).toMatchObject({ columns: 100, rows: 40, at: 0 });
  });

  test('are told per area', () => {
    const [one, four] = [1, 4].map((area) => draw(new Field(), sprayOf([{ x: 50, y: 20 }], { area })));
    expect(four.greatest).toBeCloseTo(4 * one.greatest, 6);
    expect(four.faintest).toBeCloseTo(4 * one.faintest, 6);
  });

  test('are as many as their weights, as far as they are on it', () => {
    const { grid } = draw(
      new Field(),
      sprayOf([
        { x: 50, y: 20, weight: 5 },
        { x: 20, y: 10, weight: 2 },
        { x: 500, y: 10, weight: 100 },
      ]),
      ...size
    );
    // What is fainter than a twentieth of a point is not drawn.
    expect(sum(grid.values)).toBeGreaterThan(6.5);
    expect(sum(grid.values)).toBeLessThanOrEqual(7.0001);
  });

  test('that come late are added, wherever they are', () => {
    const field = new Field();
    const range = { from: 40, to: 140 };
    draw(field, sprayOf([{ x: 90, y: 20 }]));
    const late = draw(field, sprayOf([{ x: 60, y: 5 }], { x: range })).grid.values.slice();
    const anew = draw(
      new Field(),
      sprayOf(
        [
          { x: 90, y: 20 },
          { x: 60, y: 5 },
        ],
        { x: range }
      ),
      ...size
    );
    expect(late).toEqual(anew.grid.values);
  });

  test('that are too many are refused, with how many there are', () => {
    const field = new Field();
    const many = {
      x: new Float64Array(maxPoints),
      y: new Float64Array(maxPoints),
      weight: new Float32Array(maxPoints),
    };
    draw(field, sprayOf([], { added: [many] }));
    expect(() => draw(field, sprayOf([{ x: 1, y: 1 }]))).toThrow(TooManyPoints);
    expect(() => draw(field, sprayOf([], { added: [many, many] }))).toThrow(
      `${2 * maxPoints} points, at most ${maxPoints} can be drawn`
    );
    // The next picture begins with all of its points.
    expect(draw(field, sprayOf([{ x: 50, y: 20 }], { isNew: true })).greatest).toBeGreaterThan(0);
  });

  test('are kept while there is no canvas to draw them on', () => {
    const field = new Field();
    expect(draw(field, sprayOf([{ x: 50, y: 20 }]), 0, 40).grid).toMatchObject({ columns: 0, rows: 0 });
    expect(inkAt(field, sprayOf([]), 50, 20)).toBeGreaterThan(0);
  });
});

/** What may happen to a live picture from one painting to the next. */
const steps = fc.record({
  // Now and then so many that they are counted and blurred.
  times: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.constant(400)),
  added: fc.array(
    fc.record({
      x: fc.double({ min: -30, max: 40, noNaN: true }),
      y: fc.double({ min: -3, max: 43, noNaN: true }),
      weight: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 8 }
  ),
  dropped: fc.integer({ min: 0, max: 5 }),
  moved: fc.oneof(
    { weight: 5, arbitrary: fc.double({ min: 0, max: 20, noNaN: true }) },
    fc.integer({ min: -30, max: 300 })
  ),
  isNew: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
  sigma: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.constant(2.5)),
  width: fc.oneof({ weight: 9, arbitrary: fc.constant(100) }, fc.constant(77)),
  y: fc.oneof({ weight: 9, arbitrary: fc.constant({ from: 0, to: 40 }) }, fc.constant({ from: 30, to: -5 })),
  by: fc.constantFrom('script' as const, 'simd' as const),
});

describe('a live picture', () => {
  const lives = fc.tuple(
    fc.array(steps, { maxLength: 12 }),
    fc.constantFrom(undefined, 8),
    fc.constantFrom('script', 'simd')
  );

  test('is the same as one that is drawn anew, whatever changes meanwhile', () => {
    fc.assert(
      fc.property(lives, ([changes, halfLife, by]) => {
        const field = new Field(by as 'script' | 'simd');
        let points: Point[] = [];
        let to = 100;
        for (const { added, times, dropped, moved, isNew, width, ...more } of changes) {
          to += moved;
          const now = added.flatMap(({ x, y, weight }) =>
            Array.from({ length: times }, (_, i) => ({ x: to + x - i / 20, y: (y + i / 7) % 43, weight }))
          );
          points = [...(isNew ? [] : points), ...now];
          const gone = Math.min(dropped * times, points.length);
          points = points.slice(gone);
          const shown = { ...more, halfLife, x: { from: to - 100, to } };
          const live = draw(field, sprayOf(now, { ...shown, isNew, dropped: gone }), width, 40);
          const anew = draw(new Field('script'), sprayOf(points, shown), width, 40);
          expect(live.by).toBe(by);
          expect(Math.abs(live.greatest - anew.greatest)).toBeLessThanOrEqual(1e-5 * anew.greatest);
          const { faintest } = anew;
          live.grid.values.forEach((ink, i) => {
            const other = anew.grid.values[i];
            // Around the faintest one may be drawn, and the other not.
            const isSame =
              Math.abs((ink || faintest) - (other || faintest)) <= 1e-5 * Math.max(anew.greatest, faintest);
            if (!isSame) {
              throw new Error(`cell ${i}: ${ink}, drawn anew ${other}`);
            }
          });
        }
      }),
      { numRuns: 150 }
    );
  });

  test('of which some pictures are never drawn ends as the others do', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 1, maxLength: 8 }), (changes) => {
        let left = 1;
        const sprays = changes.map(({ added, dropped, isNew }) => {
          left = (isNew ? 0 : left) + added.length;
          const gone = Math.min(dropped, left);
          left -= gone;
          return sprayOf(added, { isNew, dropped: gone });
        });
        const field = new Field();
        draw(field, sprayOf([{ x: 10, y: 10 }]));
        const each = new Field();
        draw(each, sprayOf([{ x: 10, y: 10 }]));
        let last;
        for (const spray of sprays) {
          last = draw(each, spray);
        }
        const once = draw(field, sprays.reduce(together));
        expect(Math.abs(once.greatest - last!.greatest)).toBeLessThanOrEqual(1e-5 * once.greatest);
        expect(sum(once.grid.values)).toBeCloseTo(sum(last!.grid.values), 3);
      })
    );
  });
});
