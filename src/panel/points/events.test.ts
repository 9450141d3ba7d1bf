import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DataFrame, FieldType, toDataFrame } from '@grafana/data';
import type { Heat } from '../heat';
import { defaultOptions, type Options } from '../options';
import { readPanel } from '../reading';
import { pointFrames, type PointSeries } from './events';
import { goesOn } from './goesOn';
import { nearestTo } from './nearest';
import { describePoint } from './words';

const start = Date.UTC(2026, 10, 22, 12);

/** Single hits, as pkg/frames/events.go gives them. */
const events = (rows: Array<[ms: number, value: number, weight?: number, route?: string]>): DataFrame =>
  toDataFrame({
    name: 'events',
    refId: 'A',
    meta: { type: 'table', custom: { events: { pom: 'http.request', unit: 's', carried: 3, hits: 10 } } },
    fields: [
      { name: 'Time', type: FieldType.time, values: rows.map(([ms]) => start + ms) },
      {
        name: 'value',
        type: FieldType.number,
        config: { unit: 's', displayNameFromDS: 'http.request' },
        values: rows.map(([, value]) => value),
      },
      { name: 'weight', type: FieldType.number, values: rows.map(([, , weight = 1]) => weight) },
      { name: 'goroutine', type: FieldType.string, values: rows.map(() => '9223372036854775815') },
      { name: 'route', type: FieldType.string, values: rows.map(([, , , route = '']) => route) },
    ],
  });

const series = (name: string, values: Array<number | null>, more = {}): DataFrame =>
  toDataFrame({
    name,
    fields: [
      { name: 'Time', type: FieldType.time, values: values.map((_, i) => start + 1000 * i) },
      { name: 'Value', type: FieldType.number, values },
    ],
    ...more,
  });

const cells = toDataFrame({
  name: 'heat',
  meta: { type: 'heatmap-cells' as never },
  fields: [
    { name: 'xMax', type: FieldType.time, values: [start] },
    { name: 'yMin', type: FieldType.number, values: [1] },
    { name: 'yMax', type: FieldType.number, values: [2] },
    { name: 'count', type: FieldType.number, values: [1] },
  ],
});

const drawnAs = (as: Options['draw']['as']): Options => ({ ...defaultOptions, draw: { ...defaultOptions.draw, as } });
const read = (frames: DataFrame[], options = defaultOptions) => readPanel(frames, options, 1000);
const all = (heat: Heat) => heat.counts.reduce((sum, count) => sum + (count || 0), 0);

describe('what is drawn as points', () => {
  const names = (frames: DataFrame[], as: Options['draw']['as']) =>
    pointFrames(frames, { as, sigma: 2 }).map(({ name }) => name);

  test('is by itself single hits, where there is no heat', () => {
    const hits = events([[0, 1]]);
    expect(names([hits, series('p99', [1])], 'auto')).toEqual(['events']);
    expect(names([hits, cells], 'auto')).toEqual([]);
    expect(names([series('p99', [1])], 'auto')).toEqual([]);
  });

  test('is what a user chooses: single hits beside heat, or any numbers over time', () => {
    expect(names([events([[0, 1]]), cells, series('p99', [1])], 'points')).toEqual(['events']);
    expect(names([cells, series('p99', [1]), series('p50', [1])], 'points')).toEqual(['p99', 'p50']);
    expect(names([events([[0, 1]])], 'cells')).toEqual([]);
  });

  test('has no points where no frame has times and numbers, and the panel says so', () => {
    expect(read([cells], drawnAs('points')).problem).toMatch(/no points: no frame has a field of times/);
  });
});

describe('points', () => {
  test('of hits have their weights, their unit and name, and what else is said of them', () => {
    const { heats } = read([
      events([
        [10, 0.001, 4.5, 'GET /'],
        [20, 8e-5],
        [90, 0.003, 4.5],
      ]),
    ]);
    expect(heats).toHaveLength(1);
    const [{ name, yField, points, xIsTime }] = heats;
    expect({ name, unit: yField.config.unit, xIsTime }).toEqual({ name: 'http.request', unit: 's', xIsTime: true });
    expect(points).toMatchObject({ newest: start + 90, are: 'hits' });
    expect(Array.from(points!.weights)).toEqual([4.5, 1, 4.5]);
    expect(describePoint(heats[0], 0, defaultOptions, 'utc')).toEqual({
      series: 'http.request',
      where: '2026-11-22 12:00:00.010',
      facts: [
        { name: 'Value', text: '1 ms' },
        { name: 'Stands for hits', text: '4.50' },
        { name: 'goroutine', text: '9223372036854775815' },
        { name: 'route', text: 'GET /' },
      ],
    });
  });

  test('are counted in cells that hold every one of them, whatever their values', () => {
    const values = fc.oneof(
      fc.constant(0),
      fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
      fc.double({ min: -1000, max: 1000, noNaN: true })
    );
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 1e7 }), values, fc.integer({ min: 1, max: 100 })), {
      minLength: 1,
      maxLength: 50,
    });
    fc.assert(
      fc.property(rows, (hits) => {
        const [heat] = read([events(hits)]).heats;
        expect(all(heat)).toBe(hits.reduce((sum, [, , weight]) => sum + weight, 0));
        expect(heat.totals.reduce((sum, total) => sum + total, 0)).toBe(all(heat));
        expect(heat.x.from.length).toBeLessThanOrEqual(130);
        expect(heat.y.from.length).toBeLessThanOrEqual(490);
        heat.y.from.forEach((from, row) => expect(from).toBeLessThan(heat.y.to[row]));
      })
    );
  });

  test('of other data sources are a series for each field of numbers; what is null is none', () => {
    const frame = series('cpu', [1, null, 3]);
    frame.fields.push({ name: 'Other', type: FieldType.number, config: {}, values: [5, 6, 7] });
    const { heats } = read([frame], drawnAs('points'));
    expect(heats.map(({ points }) => Array.from(points!.values))).toEqual([
      [1, 3],
      [5, 6, 7],
    ]);
    expect(heats[0].points!.are).toBe('points');
  });

  test('added up are all in one, and say of which series they are', () => {
    const { heats } = read([series('a', [1, 2]), series('b', [3])], { ...drawnAs('points'), series: 'sum' });
    expect(heats).toHaveLength(1);
    expect(all(heats[0])).toBe(3);
    expect(heats[0].points!.factsOf(2)).toContainEqual({ name: 'Series', text: 'b' });
  });

  test('whose weight is no number of hits are refused', () => {
    expect(read([events([[0, 1], [1, 1, -3]])]).problem).toBe('frame "events": field weight, row 1: -3 is not a number of hits'); // prettier-ignore
    expect(read([events([[0, 1, NaN]])]).problem).toMatch(/row 0: NaN is not/);
  });
});

describe('points that go on', () => {
  const seriesOf = (rows: number[][]): PointSeries => ({
    times: Float64Array.from(rows, ([time]) => time),
    values: Float64Array.from(rows, ([, value]) => value),
    weights: Float32Array.from(rows, () => 1),
    newest: 0,
    are: 'hits',
    factsOf: () => [],
  });

  test('are given on from where they were: nothing is lost and nothing comes twice', () => {
    // Few different points, so that they repeat themselves.
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 1 })), { maxLength: 30 });
    fc.assert(
      fc.property(rows, rows, fc.nat(30), (before, added, dropped) => {
        const now = [...before, ...added].slice(Math.min(dropped, before.length));
        const change = goesOn(seriesOf(before), seriesOf(now));
        // What is drawn is what was there and is left, and what is new.
        const drawn = change ? [...before.slice(change.dropped), ...now.slice(change.from)] : now;
        expect(drawn).toEqual(now);
      }),
      { numRuns: 500 }
    );
  });

  test('are few: of a frame that grows only its new rows are new', () => {
    const rows = Array.from({ length: 1000 }, (_, i) => [i, i % 7]);
    expect(goesOn(seriesOf(rows.slice(0, 900)), seriesOf(rows))).toEqual({ dropped: 0, from: 900 });
    expect(goesOn(seriesOf(rows.slice(0, 900)), seriesOf(rows.slice(300)))).toEqual({ dropped: 300, from: 600 });
    expect(goesOn(seriesOf(rows.slice(0, 10)), seriesOf(rows.slice(20)))).toBeUndefined();
  });
});

describe('what is near a pointer', () => {
  const across = { kind: 'linear' as const, min: start, max: start + 1000, length: 100 };
  const scale = { kind: 'log' as const, min: 0.001, max: 1, length: 90 };
  const [heat] = read([events([[100, 0.01], [900, 0.1, 2], [905, 0.1]])]).heats; // prettier-ignore

  test('is the nearest point within reach', () => {
    const near = (x: number, y: number) => nearestTo(heat.points!, { x, y }, { across, scale, sigma: 2 }).point;
    expect(near(11, 32)).toBe(0);
    expect(near(89, 60)).toBe(1);
    expect(near(90.4, 60)).toBe(2);
    expect(near(50, 50)).toBe(-1);
  });

  test('is as much ink as is drawn there, faded', () => {
    const inkAt = (x: number, y: number, halfLife?: number) =>
      nearestTo(heat.points!, { x, y }, { across, scale, sigma: 2, halfLife }).ink;
    expect(inkAt(10, 30)).toBeCloseTo(1 / (8 * Math.PI), 6);
    expect(inkAt(10, 30, 900)).toBeCloseTo(1 / (16 * Math.PI), 6);
    expect(inkAt(50, 50)).toBe(0);
  });
});
