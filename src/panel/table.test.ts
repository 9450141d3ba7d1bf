import { FieldType, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { readHeats } from './frames';
import { openedCell } from './openedCell';
import { defaultOptions } from './options';
import { maxListed, tableOf } from './table';

/** One second after another, with so many hits each in the bucket of 1 to 2 s. */
function heatOf(counts: number[]) {
  const [heat] = readHeats(
    [
      toDataFrame({
        meta: { type: 'heatmap-cells' },
        refId: 'B',
        fields: [
          {
            name: 'xMax',
            type: FieldType.time,
            config: { interval: 1000 },
            values: counts.map((_, i) => 1000 * (i + 1)),
          },
          { name: 'yMin', type: FieldType.number, config: { unit: 's' }, values: counts.map(() => 1) },
          { name: 'yMax', type: FieldType.number, config: { unit: 's' }, values: counts.map(() => 2) },
          { name: 'count', type: FieldType.number, labels: { node: '1' }, values: counts },
        ],
      }),
    ],
    1000
  );
  return heat;
}

const all = { from: 0, to: 1e9 };
const read = (counts: number[], range = all) => tableOf([heatOf(counts)], range, defaultOptions, 'utc');
const countsOf = ({ rows }: ReturnType<typeof read>) =>
  rows.map(({ facts }) => Number(facts.find(({ name }) => name === 'Count')!.text));

describe('the table', () => {
  it('lists cells with hits, most hits first, in the words of the tooltip', () => {
    const table = read([3, 0, 7]);
    expect(countsOf(table)).toEqual([7, 3]);
    expect(table.columns).toEqual(['Bucket', 'Count', 'Share of column']);
    expect(table.rows[0]).toMatchObject({ series: 'node=1', where: '1970-01-01 00:00:02 – 00:00:03' });
  });

  it('lists of a difference what is significant first, however small it is', () => {
    const heat = {
      ...heatOf([1, 2, 3, 4]),
      counts: Float64Array.of(-0.2, 0.1, 5, -7),
      difference: {
        q: Float64Array.of(0, 0, 1, 1),
        baseline: Float64Array.of(0.3, 0.1, 0, 8),
        candidate: Float64Array.of(0.1, 0.2, 5, 1),
        muted: Uint8Array.of(0, 0, 1, 1),
      },
    };
    const { columns, rows } = tableOf([heat], all, defaultOptions, 'utc');
    expect(columns).toEqual(['Bucket', 'Baseline', 'Candidate', 'Difference', 'q', 'Significant']);
    const told = (row: (typeof rows)[number]) => row.facts.map(({ text }) => text).slice(1);
    expect(told(rows[0])).toEqual(['0.300', '0.100', '-0.200', '< 0.001', 'yes']);
    expect(rows.map((row) => told(row)[2])).toEqual(['-0.200', '+0.100', '-7.000', '+5.000']);
  });

  it('lists what is seen', () => {
    expect(countsOf(read([1, 2, 3, 4], { from: 1000, to: 3000 }))).toEqual([3, 2]);
  });

  it('lists the hottest of too many, and how many there are', () => {
    const table = read(Array.from({ length: maxListed + 20 }, (_, i) => i + 1));
    expect(table.cells).toBe(maxListed + 20);
    expect(table.rows).toHaveLength(maxListed);
    expect(Math.min(...countsOf(table))).toBe(21);
  });
});

it('a cell that is opened says what it takes to ask for what is in it', () => {
  const words = { series: '', where: '', facts: [] };
  expect(openedCell(heatOf([3, 0, 7]), 2, 0, words)).toEqual({
    words,
    refId: 'B',
    series: 'node=1',
    labels: { node: '1' },
    times: { from: 2000, to: 3000 },
    values: { from: 1, to: 2 },
    row: undefined,
    count: 7,
  });
});
