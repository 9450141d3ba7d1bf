import { createDataFrame, type DataFrame, DataFrameType, FieldType } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { readHeats } from './frames';
import { sumHeats } from './heat';
import { openedCell } from './openedCell';

const words = { series: '', where: '', facts: [] };

const heatOf = (node: string): DataFrame =>
  createDataFrame({
    refId: 'B',
    meta: { type: DataFrameType.HeatmapCells },
    fields: [
      { name: 'xMax', type: FieldType.time, values: [10_000], config: { interval: 10_000 } },
      { name: 'yMin', type: FieldType.number, values: [0.5] },
      { name: 'yMax', type: FieldType.number, values: [1] },
      { name: 'count', type: FieldType.number, values: [3], labels: { node } },
    ],
  });

describe('a cell that is opened', () => {
  it('is known by its query, the labels of its series, its time and its bucket', () => {
    const [heat] = readHeats([heatOf('0')], 1000);
    expect(openedCell(heat, 0, 0, words)).toMatchObject({
      refId: 'B',
      labels: { node: '0' },
      times: { from: 0, to: 10_000 },
      values: { from: 0.5, to: 1 },
      count: 3,
      bin: undefined,
      goroutines: undefined,
    });
  });

  it('of several series added up has the labels of none', () => {
    const sum = sumHeats(readHeats([heatOf('0'), heatOf('1')], 1000), 'all');
    expect(openedCell(sum, 0, 0, words)).toMatchObject({ refId: 'B', labels: {}, count: 6 });
  });

  it('of a goroutine grid has the goroutines that the frame names', () => {
    const named = [{ goid: '7', function: 'main.work', process: '42-1', count: 4 }];
    const grid = createDataFrame({
      refId: 'A',
      meta: { custom: { side: 256 } },
      fields: [
        { name: 'x', type: FieldType.number, values: [1] },
        { name: 'y', type: FieldType.number, values: [2] },
        { name: 'count', type: FieldType.number, values: [4] },
        { name: 'goroutines', type: FieldType.other, values: [named] },
      ],
    });
    grid.meta!.type = 'goroutine-grid' as DataFrameType;
    const [heat] = readHeats([grid], 1000);
    expect(openedCell(heat, 1, 2, words)).toMatchObject({ goroutines: named, values: undefined, bin: undefined });
    expect(openedCell(heat, 3, 3, words).goroutines).toEqual([]);
  });
});
