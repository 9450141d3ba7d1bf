import { FieldType, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { readHeats } from './frames';
import { move } from './keys';

/**
 *   row 2   7 . .
 *   row 1   . . 9
 *   row 0   1 . 2     the column in the middle had no hit
 */
const cells = [
  [10, 0, 1],
  [10, 2, 7],
  [11, 0, 0],
  [12, 0, 2],
  [12, 1, 9],
];
const [heat] = readHeats(
  [
    toDataFrame({
      meta: { type: 'heatmap-cells' },
      fields: [
        { name: 'xMax', type: FieldType.time, config: { interval: 1 }, values: cells.map(([x]) => x) },
        { name: 'yMin', type: FieldType.number, values: cells.map(([, y]) => y) },
        { name: 'yMax', type: FieldType.number, values: cells.map(([, y]) => y + 1) },
        { name: 'count', type: FieldType.number, values: cells.map(([, , n]) => n) },
      ],
    }),
  ],
  1
);
const range = { from: 0, to: 100 };
const go = (column: number, row: number, key: string) => move(heat, range, { column, row }, key);

describe('the arrow keys', () => {
  it('begin at the hottest cell', () => {
    expect(move(heat, range, undefined, 'ArrowLeft')).toEqual({ column: 2, row: 1 });
  });

  it('begin at the hottest cell that is seen', () => {
    expect(move(heat, { from: 9, to: 11 }, undefined, 'ArrowUp')).toEqual({ column: 0, row: 2 });
  });

  it('go up and down to the next cell with a hit', () => {
    expect(go(0, 0, 'ArrowUp')).toEqual({ column: 0, row: 2 });
    expect(go(0, 2, 'ArrowDown')).toEqual({ column: 0, row: 0 });
  });

  it('go sideways past columns without a hit, to the nearest cell there', () => {
    expect(go(0, 0, 'ArrowRight')).toEqual({ column: 2, row: 0 });
    expect(go(2, 1, 'ArrowLeft')).toEqual({ column: 0, row: 0 });
  });

  it('stay at the edge', () => {
    expect(go(0, 2, 'ArrowUp')).toEqual({ column: 0, row: 2 });
    expect(go(2, 1, 'ArrowRight')).toEqual({ column: 2, row: 1 });
  });

  it('have Home and End go to the first and the last column', () => {
    expect(go(2, 1, 'Home')).toEqual({ column: 0, row: 0 });
    expect(go(0, 2, 'End')).toEqual({ column: 2, row: 1 });
  });

  it('leave other keys to others', () => {
    expect(go(0, 0, 'Tab')).toBeUndefined();
  });
});
