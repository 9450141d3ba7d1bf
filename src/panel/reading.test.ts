import { type DataFrame, FieldType, type QueryResultMetaNotice, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { defaultOptions } from './options';
import { readPanel } from './reading';

/** Stages of which nobody knows how they shared the CPU time. */
const unknown = (...notices: QueryResultMetaNotice[]): DataFrame =>
  toDataFrame({
    meta: { type: 'heatmap-rows' as never, notices },
    fields: [
      { name: 'time', type: FieldType.time, config: { interval: 1000 }, values: [1000, 2000] },
      { name: 'map', type: FieldType.number, values: [null, null] },
    ],
  });

const problemOf = (frames: DataFrame[]) => readPanel(frames, defaultOptions, 1000).problem;

describe('a panel without anything to draw', () => {
  it('says what its frames warn of', () => {
    const frames = [
      unknown({ severity: 'info', text: 'the table is of 12:00 to 12:03' }),
      unknown({ severity: 'warning', text: 'no CPU profile could be taken' }),
    ];
    expect(problemOf(frames)).toBe('no CPU profile could be taken');
  });

  it('says what they remark, where they warn of nothing', () => {
    expect(problemOf([unknown({ severity: 'info', text: 'in the time range nothing was traced' })])).toBe(
      'in the time range nothing was traced'
    );
  });

  it('leaves it to Grafana to say that there is no data', () => {
    expect(problemOf([unknown()])).toBeUndefined();
  });
});
