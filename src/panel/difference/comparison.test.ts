import { type DataFrame, FieldType, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { MalformedFrame } from '../fields';
import { cellAt, isFilled } from '../heat';
import { move } from '../keys';
import { describe as describeCell, heatWriter } from '../words';
import { isComparison, readComparisons } from './comparison';
import { differenceRamp } from './tones';

const noon = Date.UTC(2026, 10, 22, 12);
const ends = [noon + 10_000, noon + 10_000, noon + 20_000, noon + 20_000];
const lows = [0.001, 0.002, 0.001, 0.002];
const highs = [0.002, 0.004, 0.002, 0.004];

const bounds = [
  { name: 'xMax', type: FieldType.time, config: { interval: 10_000 }, values: ends },
  { name: 'yMin', type: FieldType.number, config: { unit: 's' }, values: lows },
  { name: 'yMax', type: FieldType.number, config: { unit: 's' }, values: highs },
];

const arm = (arm: string, values = [90, 10, 90, 10]): DataFrame =>
  toDataFrame({
    name: `http.request (${arm})`,
    meta: { type: 'heatmap-cells', custom: { arm } },
    fields: [...bounds, { name: 'count', type: FieldType.number, values }],
  });

const side = (label: string) => ({ label, version: label, goVersions: ['go1.26.5'], from: noon, to: noon + 20_000 });

const report = {
  pom: 'http.request',
  unit: 's',
  per: 'share',
  baseline: { ...side('v1'), n: 200, blocks: 8, p50: 0.0015, p99: 0.003, max: 0.0039 },
  candidate: { ...side('v2'), n: 300, blocks: 9, p50: 0.0015, p99: 0.0045, max: 0.0039 },
  distance: 0.07,
  distanceP: 0.004,
  significantCells: 2,
  cells: 4,
  blockSeconds: 10,
  level: 0.05,
  words: 'p99 rose from 3 ms to 4.5 ms.',
};

const difference = (changes: object = {}, custom: object = report, name = 'http.request'): DataFrame => {
  const fields = {
    difference: [-0.1, 0.1, 0.02, -0.02],
    q: [0.01, 0.01, 0.4, 0.4],
    baseline: [0.9, 0.1, 0.9, 0.1],
    candidate: [0.8, 0.2, 0.92, 0.08],
    ...changes,
  };
  return toDataFrame({
    name,
    meta: { type: 'heat-difference', custom: { comparison: custom } },
    fields: [
      ...bounds,
      ...Object.entries(fields).map(([name, values]) => ({
        name,
        type: FieldType.number,
        config: { unit: 'percentunit' },
        values,
      })),
      { name: 'significant', type: FieldType.boolean, values: [true, true, false, false] },
    ],
  });
};

const empty = (frame: DataFrame): DataFrame => ({
  ...frame,
  length: 0,
  fields: frame.fields.map((field) => ({ ...field, values: [] })),
});

const read = (...frames: DataFrame[]) => readComparisons(frames, 1000);

describe('a comparison', () => {
  it('is read with the heat of both sides, what is between them, and what that means', () => {
    const [{ name, baseline, candidate, difference: cells, report: said }] = read(
      arm('baseline'),
      arm('candidate', [80, 20, 92, 8]),
      difference()
    );
    expect([name, said.words]).toEqual(['http.request', report.words]);
    expect([baseline?.totals[0], candidate?.counts[cellAt(candidate, 0, 1)]]).toEqual([100, 20]);
    expect(Array.from(cells!.counts)).toEqual([-0.1, 0.1, 0.02, -0.02]);
    expect(Array.from(cells!.difference!.muted)).toEqual([0, 0, 1, 1]);
  });

  it('is one for each series, each with its own sides', () => {
    const two = read(
      arm('baseline'),
      arm('candidate'),
      difference({}, report, 'node 0'),
      empty(arm('baseline')),
      arm('candidate'),
      difference({}, report, 'node 1')
    );
    expect(two.map(({ name, baseline, candidate }) => [name, Boolean(baseline), Boolean(candidate)])).toEqual([
      ['node 0', true, true],
      ['node 1', false, true],
    ]);
  });

  it('that was refused has the reason and both sides, and no difference', () => {
    const refused = { ...report, refused: 'too few blocks' };
    const [comparison] = read(arm('baseline'), arm('candidate'), empty(difference({}, refused)));
    expect(comparison.report.refused).toBe('too few blocks');
    expect(comparison.difference).toBeUndefined();
    expect(comparison.baseline?.totals[0]).toBe(100);
  });

  it('is told from other frames', () => {
    expect([isComparison([arm('baseline')]), isComparison([arm('baseline'), difference()])]).toEqual([false, true]);
  });

  it.each([
    ['a difference that is no number', difference({ difference: [1, NaN, 0, 0] }), 'field difference, row 1: NaN is'],
    ['a q that is missing', { ...difference(), fields: difference().fields.filter((f) => f.name !== 'q') }, 'field q'],
    ['no report', difference({}, 'none' as never), 'meta.custom.comparison is "none"'],
    ['no words', difference({}, { ...report, words: 7 }), 'comparison.words is 7'],
    ['a nameless side', difference({}, { ...report, baseline: { n: 1 } }), 'comparison.baseline is {"n":1}'],
    ['no level', difference({}, { ...report, level: undefined }), 'comparison.level is undefined'],
  ])('with %s is refused, and named', (_, frame, message) => {
    expect(() => read(frame)).toThrow(MalformedFrame);
    expect(() => read(frame)).toThrow(message);
  });
});

describe('the cells of a difference', () => {
  const [{ difference: heat }] = read(difference({ difference: [-0.1, 0.05, 0, 0.3] }));
  const axes = {
    xAxis: { scale: 'auto' as const },
    yAxis: { scale: 'auto' as const, placement: 'left' as const, reverse: false },
  };

  it('are there where the difference is 0 or negative, too', () => {
    expect([0, 1, 2, 3].every((cell) => isFilled(heat!, cell))).toBe(true);
  });

  it('are said with both sides, the baseline first, what is between them, and how sure that is', () => {
    const words = describeCell(heat!, 0, 1, axes, 'utc');
    expect(words.facts.slice(1)).toEqual([
      { name: 'Baseline', text: '10.000%' },
      { name: 'Candidate', text: '20.000%' },
      { name: 'Difference', text: '+5.000%' },
      { name: 'q', text: '0.010' },
      { name: 'Significant', text: 'yes' },
    ]);
    expect(describeCell(heat!, 1, 1, axes, 'utc').facts.at(-1)).toEqual({ name: 'Significant', text: 'no' });
    expect(heatWriter(heat!, axes.yAxis)(-0.1)).toBe('-10%');
  });

  it('lead the keyboard to the greatest that is significant first', () => {
    const range = { from: noon, to: noon + 20_000 };
    expect(move(heat!, range, undefined, 'ArrowRight')).toEqual({ column: 0, row: 0 });
  });

  it('have colours as far on both sides of zero, up to the greatest that is significant', () => {
    expect(differenceRamp([heat!], 'linear')).toMatchObject({ min: -0.1, max: 0.1, midpoint: 0, scale: 'linear' });
    const none = { ...heat!, difference: { ...heat!.difference!, muted: Uint8Array.of(1, 1, 1, 1) } };
    expect(differenceRamp([none], 'symlog')).toMatchObject({ min: -0.3, max: 0.3, scale: 'symlog' });
  });

  it('have colours to see beside a few that are far greater', () => {
    const many = 100;
    const counts = Float64Array.from({ length: many }, (_, cell) => (cell === 7 ? 0.5 : 0.05));
    const wide = { ...heat!, counts, difference: { ...heat!.difference!, muted: new Uint8Array(many) } };
    expect(differenceRamp([wide], 'linear').max).toBe(0.05);
  });
});
