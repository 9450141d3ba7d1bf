import { dateTime, FieldType, type TimeRange, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { countsOfWire } from '../renderer';
import { spansOf } from '../renderer/draw';
import { summaryOf } from '../renderer/summary';
import { readHeats } from './frames';
import { type Heat, totalsOf } from './heat';
import { defaultOptions, type Options } from './options';
import {
  columnEdges,
  columnScale,
  gridOf,
  misfit,
  rampFrom,
  rampOf,
  rowEdges,
  valuesToSumUp,
  valueScale,
} from './picture';

function heatOf(cells: Array<[yMin: number, yMax: number, count: number]>) {
  return readHeats(
    [
      toDataFrame({
        meta: { type: 'heatmap-cells' },
        fields: [
          { name: 'xMax', type: FieldType.time, config: { interval: 10 }, values: cells.map(() => 110) },
          { name: 'yMin', type: FieldType.number, values: cells.map(([from]) => from) },
          { name: 'yMax', type: FieldType.number, values: cells.map(([, to]) => to) },
          { name: 'count', type: FieldType.number, values: cells.map(([, , count]) => count) },
        ],
      }),
    ],
    10
  )[0];
}

/** A Y axis with these settings, and the usual others. */
const axis = (settings: Partial<Options['yAxis']>) => ({ ...defaultOptions.yAxis, ...settings });

const octaves = heatOf([
  [1, 2, 3],
  [2, 4, 0],
  [4, 8, 50],
]);

describe('the ramp', () => {
  it('runs from the least to the greatest count of all series, hits only, on a log scale', () => {
    const ramp = rampOf([octaves, heatOf([[1, 2, 200]])], defaultOptions.color);
    expect(ramp).toMatchObject({ min: 3, max: 200, scale: 'log' });
  });

  it('runs from zero on a linear scale', () => {
    expect(rampOf([octaves], { ...defaultOptions.color, scale: 'linear' })).toMatchObject({ min: 0, max: 50 });
  });

  it('runs where the options say', () => {
    expect(rampOf([octaves], { ...defaultOptions.color, min: 10, max: 20 })).toMatchObject({ min: 10, max: 20 });
  });

  it('has a start that a log scale has, whatever the options say', () => {
    expect(rampOf([octaves], { ...defaultOptions.color, min: 0 }).min).toBe(3);
  });
});

describe('the value scale', () => {
  it('is log for buckets that grow, and linear when the options say so', () => {
    expect(valueScale([octaves], axis({ scale: 'auto' }))).toEqual({ kind: 'log', min: 1, max: 8 });
    expect(valueScale([octaves], axis({ scale: 'linear' }))).toEqual({ kind: 'linear', min: 1, max: 8 });
  });

  it('takes in all series', () => {
    expect(valueScale([octaves, heatOf([[16, 32, 1]])], axis({ scale: 'log' }))).toEqual({
      kind: 'log',
      min: 1,
      max: 32,
    });
  });

  it('begins over zero on a log scale, whatever the options say', () => {
    expect(valueScale([octaves], axis({ scale: 'log', min: 0 })).min).toBeGreaterThan(0);
  });

  it('is refused for values below zero when it shall be log', () => {
    const below = heatOf([[-2, -1, 1]]);
    expect(misfit([below], axis({ scale: 'log' }))).toMatch(/field yMax .* has values below 0/);
    expect(misfit([below], axis({ scale: 'auto' }))).toBeUndefined();
    expect(misfit([octaves], axis({ scale: 'log' }))).toBeUndefined();
  });
});

describe('buckets on both sides of zero', () => {
  const around = heatOf([
    [-4, -1, 1],
    [-1, -0.25, 2],
    [-0.25, 0.25, 7],
    [0.25, 1, 2],
    [1, 4, 1],
  ]);

  it('lie on a scale that is log on both of them, and linear up to the one nearest to zero', () => {
    expect(valueScale([around], axis({ scale: 'auto' }))).toEqual({
      kind: 'symlog',
      min: -4,
      max: 4,
      linearUpTo: 0.25,
    });
  });

  it('are drawn alike on both of them', () => {
    const { from, to } = rowEdges(around.y, { ...valueScale([around], axis({})), length: 400 });
    const heights = [...to].map((end, i) => end - from[i]);
    expect(heights[0]).toBeCloseTo(heights[4], 3);
    expect(heights[1]).toBeCloseTo(heights[3], 3);
    expect(heights[0] / heights[3]).toBeLessThan(2);
  });
});

describe('an ordinal scale', () => {
  const other = heatOf([
    [2, 4, 1],
    [100, Infinity, 1],
  ]);

  it('counts the buckets of all series, open ones too, all equally high', () => {
    const scale = { ...valueScale([octaves, other], axis({ scale: 'ordinal' })), length: 400 };
    expect(scale).toMatchObject({ kind: 'ordinal', min: 0, max: 4 });
    expect([...rowEdges(other.y, scale).from]).toEqual([200, 0]);
    expect([...rowEdges(other.y, scale).to]).toEqual([300, 100]);
  });

  it('has the ends that the options say, as values', () => {
    const scale = valueScale([octaves, other], axis({ scale: 'ordinal', min: 2, max: 8 }));
    expect([scale.min, scale.max]).toEqual([1, 3]);
  });
});

describe('an axis that runs down', () => {
  it('has its lowest rows at the top', () => {
    const { from, to } = rowEdges(octaves.y, { ...valueScale([octaves], axis({ reverse: true })), length: 300 });
    expect([...from].map(Math.round)).toEqual([0, 100, 200]);
    expect([...to].map(Math.round)).toEqual([100, 200, 300]);
  });
});

describe('the picture', () => {
  it('has no cell where there was no hit', () => {
    expect([...gridOf(octaves).values]).toEqual([3, NaN, 50]);
  });

  it('numbers its columns by their time, so that a live picture finds them again', () => {
    // From 100 to 110.
    expect(gridOf(octaves).at).toBe(10);
  });

  it('has each column where its time is', () => {
    expect(columnEdges(octaves.x, { kind: 'linear', min: 0, max: 200, length: 1000 })).toEqual({
      from: Float32Array.of(500),
      to: Float32Array.of(550),
    });
  });

  it('has its rows upside down: the lowest at the bottom', () => {
    const { from, to } = rowEdges(octaves.y, { kind: 'log', min: 1, max: 8, length: 300 });
    expect([...from].map(Math.round)).toEqual([200, 100, 0]);
    expect([...to].map(Math.round)).toEqual([300, 200, 100]);
  });
});

const minute = 60_000;
const range = (to: string): TimeRange => ({
  from: dateTime(10 * minute),
  to: dateTime(15 * minute),
  raw: { from: 'now-5m', to },
});
const heat = { xIsTime: true, x: { from: Float64Array.of(15 * minute), to: Float64Array.of(16 * minute) } } as Heat;

/** Requests by latency and depth: two bins of 10 us, and one of all that took over 128 s. */
const [spectrum] = readHeats(
  [
    toDataFrame({
      meta: { type: 'heatmap-cells' },
      fields: [
        { name: 'xMin', type: FieldType.number, values: [0, 1e-5, 128] },
        { name: 'xMax', type: FieldType.number, values: [1e-5, 2e-5, Infinity] },
        { name: 'yMin', type: FieldType.number, values: [-0.5, 11.5, 11.5] },
        { name: 'yMax', type: FieldType.number, values: [0.5, 12.5, 12.5] },
        { name: 'count', type: FieldType.number, values: [1, 2, 3] },
      ],
    }),
  ],
  1000
);

describe('bins', () => {
  it('lie on a scale that has an end where they have none', () => {
    const { kind, min, max } = columnScale([spectrum], range('now'), false, { scale: 'linear' });
    expect([kind, min]).toEqual(['linear', 0]);
    expect(max).toBeGreaterThan(128);
  });

  it('lie on a log scale where they grow, the first as wide as the second', () => {
    const grown = { ...spectrum, x: { from: Float64Array.of(0, 10, 20), to: Float64Array.of(10, 20, 80) } };
    const scale = columnScale([grown], range('now'), false, { scale: 'auto' });
    expect(scale).toEqual({ kind: 'log', min: 5, max: 80 });
    const { from, to } = columnEdges(grown.x, { ...scale, length: 400 });
    expect([...from].map(Math.round)).toEqual([0, 100, 200]);
    expect([...to].map(Math.round)).toEqual([100, 200, 400]);
  });
});

describe('values of gauges', () => {
  const [gauges] = readHeats(
    [
      toDataFrame({
        meta: { type: 'heatmap-rows' },
        fields: [
          { name: 'time', type: FieldType.time, config: { interval: 10 }, values: [10, 20] },
          { name: 'shop', type: FieldType.number, values: [0, 0.5] },
          { name: 'cart', type: FieldType.number, values: [null, 0.25] },
        ],
      }),
    ],
    10
  );

  it('are drawn where they are 0, and not where there is none', () => {
    expect([...gridOf(gauges).values]).toEqual([0, NaN, 0.5, 0.25]);
  });

  it('have the least over 0 at the cold end of a log scale, and 0 at that of a linear one', () => {
    expect(rampOf([gauges], defaultOptions.color)).toMatchObject({ min: 0.25, max: 0.5 });
    expect(rampOf([gauges], { ...defaultOptions.color, scale: 'linear' })).toMatchObject({ min: 0, max: 0.5 });
  });
});

describe('the range that is shown', () => {
  const shownRange = (asked: TimeRange, heats: Heat[], isStreaming: boolean) => {
    const { min, max } = columnScale(heats, asked, isStreaming, { scale: 'auto' });
    return { from: min, to: max };
  };

  it('is the one that was asked for', () => {
    expect(shownRange(range('now'), [heat], false)).toEqual({ from: 10 * minute, to: 15 * minute });
  });

  it('goes along with live columns when it ends now', () => {
    expect(shownRange(range('now'), [heat], true)).toEqual({ from: 11 * minute, to: 16 * minute });
  });

  it('stays where it is when it ends at another time', () => {
    expect(shownRange(range('now-1m'), [heat], true)).toEqual({ from: 10 * minute, to: 15 * minute });
  });

  it('goes by whole pixels, so that columns that share one do so as before, and only new ones are drawn', () => {
    const pixels = 131;
    /** What each pixel shows, by the times of its columns, once columns of a second have come up to `newest`. */
    const shown = (newest: number, isSnapped: boolean) => {
      const from = Float64Array.from({ length: 400 }, (_, i) => newest - (400 - i) * 1000);
      const live = { ...heat, x: { from, to: from.map((start) => start + 1000) } };
      const extent = columnScale([live], range('now'), true, { scale: 'auto' }, isSnapped ? pixels : undefined);
      const { first, last } = spansOf(columnEdges(live.x, { ...extent, length: pixels }), pixels);
      expect(extent.max).toBeGreaterThanOrEqual(newest);
      expect(extent.max - newest).toBeLessThan((5 * minute) / pixels);
      return Array.from(first, (column, pixel) => `${from[column]} ${from[last[pixel]]}`);
    };
    const drawnAnew = (newest: number, isSnapped: boolean) => {
      const before = new Set(shown(newest - 1000, isSnapped));
      return shown(newest, isSnapped).filter((cells) => !before.has(cells)).length;
    };
    const updates = Array.from({ length: 60 }, (_, i) => 16 * minute + i * 1000);
    const most = (isSnapped: boolean) => Math.max(...updates.map((newest) => drawnAnew(newest, isSnapped)));
    expect(most(true)).toBeLessThanOrEqual(3);
    // As it was before, most of the picture was drawn each second.
    expect(most(false)).toBeGreaterThan(pixels / 4);
  });
});

describe('the ramp of many cells, which a worker sums up', () => {
  const [columns, rows] = [256, 256];
  /** Some columns of few hits, some of many, and rows without any. */
  const hitsIn = (column: number, row: number) =>
    row % 4 === 1 ? 0 : 1 + ((column * 31 + row * 17) % 60) * (column % 4);
  const bytes = Array.from({ length: columns * rows }, (_, cell) => {
    const hits = hitsIn(Math.floor(cell / rows), cell % rows);
    const n = hits > 0 ? 2 * hits + 1 : 2;
    return n < 128 ? [n] : [(n & 127) | 128, n >> 7];
  }).flat();
  const wire = { columns, rows, cells: Uint8Array.from(bytes) };
  const edges = (length: number, first: number) => ({
    from: Float64Array.from({ length }, (_, i) => first + i),
    to: Float64Array.from({ length }, (_, i) => first + i + 1),
  });
  const counts = countsOfWire(wire);
  const heat: Heat = {
    ...octaves,
    x: edges(columns, 0),
    y: edges(rows, 1),
    wire,
    extent: { cells: columns * rows, least: 1, most: 180 },
    counts,
    totals: totalsOf(counts, columns, rows),
  };
  const chosen = (color: Partial<Options['color']>) => ({ ...defaultOptions.color, ...color });

  it.each([
    { measure: 'share', scale: 'rank' },
    { measure: 'share', scale: 'log' },
    { measure: 'density', scale: 'symlog' },
    { measure: 'count', scale: 'rank' },
  ] as const)('is that of few: $measure on scale $scale', (settings) => {
    const color = chosen(settings);
    const values = valuesToSumUp([heat, heat], color, defaultOptions.yAxis)!;
    const [there, here] = [rampFrom(summaryOf(values), color), rampOf([heat, heat], color, defaultOptions.yAxis)];
    for (const end of ['min', 'max'] as const) {
      expect(Math.abs(there[end] - here[end])).toBeLessThanOrEqual(1e-6 * here[end]);
    }
    expect(there.ranks?.length).toBe(here.ranks?.length);
    there.ranks?.forEach((rank, part) => expect(rank / here.ranks![part]).toBeCloseTo(1, 6));
  });

  it('is made here where a frame says what it has to know, or not all cells are to be seen', () => {
    const isLeft = (heats: Heat[], color: Partial<Options['color']>) =>
      valuesToSumUp(heats, chosen(color), defaultOptions.yAxis) !== undefined;
    expect(isLeft([heat], { measure: 'count', scale: 'log' })).toBe(false);
    expect(isLeft([{ ...heat, hides: { upTo: 1 } }], { scale: 'rank' })).toBe(false);
    expect(isLeft([heat, octaves], { scale: 'rank' })).toBe(false);
    expect(isLeft([heat], { scale: 'rank' })).toBe(true);
  });
});
