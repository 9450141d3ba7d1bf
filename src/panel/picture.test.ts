import { dateTime, FieldType, type TimeRange, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { type Heat, readHeats } from './heat';
import { defaultOptions } from './options';
import { columnEdges, gridOf, misfit, rampOf, rowEdges, shownRange, valueScale } from './picture';

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
    expect(valueScale([octaves], { scale: 'auto' })).toEqual({ log: true, min: 1, max: 8 });
    expect(valueScale([octaves], { scale: 'linear' })).toEqual({ log: false, min: 1, max: 8 });
  });

  it('takes in all series', () => {
    expect(valueScale([octaves, heatOf([[16, 32, 1]])], { scale: 'log' })).toEqual({ log: true, min: 1, max: 32 });
  });

  it('begins over zero on a log scale, whatever the options say', () => {
    expect(valueScale([octaves], { scale: 'log', min: 0 }).min).toBeGreaterThan(0);
  });

  it('is refused for values below zero when it shall be log', () => {
    const below = heatOf([[-2, -1, 1]]);
    expect(misfit([below], { scale: 'log' })).toMatch(/field yMax .* has values below 0/);
    expect(misfit([below], { scale: 'auto' })).toBeUndefined();
    expect(misfit([octaves], { scale: 'log' })).toBeUndefined();
  });
});

describe('the picture', () => {
  it('has no cell where there was no hit', () => {
    expect([...gridOf(octaves).values]).toEqual([3, NaN, 50]);
  });

  it('has each column where its time is', () => {
    expect(columnEdges(octaves.x, { from: 0, to: 200 }, 1000)).toEqual({
      from: Float32Array.of(500),
      to: Float32Array.of(550),
    });
  });

  it('has its rows upside down: the lowest at the bottom', () => {
    const { from, to } = rowEdges(octaves.y, { log: true, min: 1, max: 8, length: 300 });
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

describe('the range that is shown', () => {
  it('is the one that was asked for', () => {
    expect(shownRange(range('now'), [heat], false)).toEqual({ from: 10 * minute, to: 15 * minute });
  });

  it('goes along with live columns when it ends now', () => {
    expect(shownRange(range('now'), [heat], true)).toEqual({ from: 11 * minute, to: 16 * minute });
  });

  it('stays where it is when it ends at another time', () => {
    expect(shownRange(range('now-1m'), [heat], true)).toEqual({ from: 10 * minute, to: 15 * minute });
  });
});
