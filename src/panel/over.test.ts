import { FieldType, ThresholdsMode, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { maxExemplars, readExemplars } from './exemplars';
import { isHeatFrame, readHeats } from './frames';
import { linesOver, pathOf, readLines, valueAt } from './lines';
import { say, sharedExtent } from './sharedAxis';
import { barsOf, sumsOfRows } from './sums';
import { thresholdsOn } from './thresholds';

const heatFrame = (node: string) =>
  toDataFrame({
    meta: { type: 'heatmap-cells' },
    fields: [
      { name: 'xMax', type: FieldType.time, config: { interval: 10 }, values: [10, 20, 20] },
      { name: 'yMin', type: FieldType.number, config: { unit: 's' }, values: [1, 1, 2] },
      { name: 'yMax', type: FieldType.number, config: { unit: 's' }, values: [2, 2, 4] },
      { name: 'count', type: FieldType.number, labels: { node }, values: [5, 6, 1] },
    ],
  });
const [heat] = readHeats([heatFrame('0')], 10);

const series = (unit: string, labels = {}) =>
  toDataFrame({
    name: `p99 ${unit}`,
    fields: [
      { name: 'time', type: FieldType.time, values: [10, 20, 30, 40] },
      {
        name: 'p99',
        type: FieldType.number,
        labels,
        config: { unit, displayName: `p99 ${unit}` },
        values: [1, 2, null, 4],
      },
    ],
  });

const exemplarFrame = (name: string, length: number) =>
  toDataFrame({
    name,
    fields: [
      { name: 'Time', type: FieldType.time, values: Array.from({ length }, (_, i) => i) },
      { name: 'Value', type: FieldType.number, values: Array.from({ length }, (_, i) => i / 10) },
      { name: 'traceID', type: FieldType.string, values: Array.from({ length }, (_, i) => (i % 2 ? `t${i}` : '')) },
    ],
  });

describe('lines over heat', () => {
  it('are the series of other queries, and not heat or exemplars', () => {
    const frames = [heatFrame('0'), series('s'), exemplarFrame('exemplars', 3)];
    expect(readLines(frames, isHeatFrame).map(({ name }) => name)).toEqual(['p99 s']);
  });

  it('are drawn where the axis has their unit; else it is said why not', () => {
    const [seconds, percent] = linesOver(readLines([series('s'), series('percent')], isHeatFrame), heat);
    expect(seconds.problem).toBeUndefined();
    expect(percent.problem).toBe('its unit is percent, the axis has s');
  });

  it('are drawn over the series that their labels do not exclude', () => {
    const [node1] = readHeats([heatFrame('1')], 10);
    const lines = readLines([series('s', { node: '1' }), series('s', { job: 'shop' })], isHeatFrame);
    expect([linesOver(lines, heat), linesOver(lines, node1)].map((over) => over.length)).toEqual([1, 2]);
  });

  it('have a scale of their own where rows have names', () => {
    const named = { ...heat, rowNames: ['map', 'reduce'] };
    const [line] = linesOver(readLines([series('Bps')], isHeatFrame), named);
    expect([line.problem, line.top]).toEqual([undefined, 4]);
    expect(linesOver(readLines([series('s')], isHeatFrame), { ...named, xIsTime: false })).toEqual([]);
  });

  it('are broken where there is no value, and say the newest at a time', () => {
    const [line] = readLines([series('s')], isHeatFrame);
    expect(pathOf(line, (time) => time, (value) => value)).toBe('M10.0 1.0L20.0 2.0M40.0 4.0'); // prettier-ignore
    expect([5, 10, 25, 35, 99].map((time) => valueAt(line, time))).toEqual([undefined, 1, 2, undefined, 4]);
  });
});

describe('exemplars', () => {
  it.each(['exemplar', 'exemplars'])('are read from a frame that is called %s, with what is known of them', (name) => {
    expect(readExemplars([exemplarFrame(name, 2), series('s')])).toEqual([
      { time: 0, value: 0, facts: [], link: undefined },
      { time: 1, value: 0.1, facts: [{ name: 'traceID', text: 't1' }], link: undefined },
    ]);
  });

  it('link to their trace', () => {
    const frame = exemplarFrame('exemplars', 2);
    frame.fields[2].getLinks = ({ valueRowIndex }) => [
      { href: `/trace/${valueRowIndex}`, title: 'Trace', target: '_self', origin: frame.fields[2] },
    ];
    const [without, linked] = readExemplars([frame]);
    expect([without.link, linked.link?.href]).toEqual([undefined, '/trace/1']);
  });

  it('of too many are the greatest, in order of time', () => {
    const kept = readExemplars([exemplarFrame('exemplars', maxExemplars + 7)]);
    expect(kept).toHaveLength(maxExemplars);
    expect(kept[0].time).toBe(7);
  });
});

describe('thresholds', () => {
  const config = (mode: ThresholdsMode, ...values: number[]) => ({
    mode,
    steps: [-Infinity, ...values].map((value) => ({ value, color: 'red' })),
  });
  const log = { kind: 'log' as const, min: 1, max: 100, length: 200 };

  it('are those that lie on the axis, and not what is below all of them', () => {
    const found = thresholdsOn(config(ThresholdsMode.Absolute, 0.1, 10, 1000), log);
    expect(found).toEqual([{ place: 10, value: 10, colour: 'red' }]);
  });

  it('in percent are of the height of the axis, whichever way it runs', () => {
    const [half] = thresholdsOn(config(ThresholdsMode.Percentage, 50), log);
    expect([half.percent, Math.round(half.place)]).toEqual([50, 10]);
    const [quarter] = thresholdsOn(config(ThresholdsMode.Percentage, 25), { ...log, isReversed: true });
    expect(quarter.place).toBeCloseTo(10 ** 0.5, 9);
  });

  it('are none where none are set', () => {
    expect(thresholdsOn(undefined, log)).toEqual([]);
  });
});

describe('histograms beside a plot', () => {
  it('have all hits of the columns that are seen', () => {
    expect([...sumsOfRows(heat, { from: 0, to: 20 })]).toEqual([11, 1]);
    expect([...sumsOfRows(heat, { from: 10, to: 20 })]).toEqual([6, 1]);
    expect(sumsOfRows(heat, { from: 0, to: 20 }).reduce((a, b) => a + b)).toBe(heat.totals.reduce((a, b) => a + b));
  });

  it('have a bar for each row, the longest as long as there is room', () => {
    const scale = { kind: 'log' as const, min: 1, max: 4, length: 100 };
    expect(barsOf(Float64Array.of(10, 5), heat.y, scale)).toEqual([
      { from: 0, to: 50, part: 1 },
      { from: 50, to: 100, part: 0.5 },
    ]);
  });

  it('have none beyond the axis', () => {
    const scale = { kind: 'log' as const, min: 2, max: 4, length: 100 };
    expect(barsOf(Float64Array.of(10, 5), heat.y, scale)).toEqual([{ from: 0, to: 100, part: 1 }]);
  });
});

describe('an axis that panels share', () => {
  const extent = (kind: 'log' | 'linear', min: number, max: number) => ({ kind, min, max });

  it('reaches as far as any of them needs, until they go', () => {
    say('latency', 'a', extent('log', 1, 10));
    say('latency', 'b', extent('log', 5, 100));
    say('latency', 'c', extent('linear', -7, 7));
    say('other', 'd', extent('log', 0.1, 1));
    expect(sharedExtent('latency', 'log')).toEqual({ min: 1, max: 100 });
    say('latency', 'b', undefined);
    expect(sharedExtent('latency', 'log')).toEqual({ min: 1, max: 10 });
    for (const [group, member] of ['latency a', 'latency c', 'other d'].map((names) => names.split(' '))) {
      say(group, member, undefined);
    }
    expect(sharedExtent('latency', 'log')).toBeUndefined();
  });
});
