import { FieldType, toDataFrame } from '@grafana/data';
import { describe as story, expect, it } from 'vitest';
import { readHeats } from './frames';
import { defaultOptions } from './options';
import { type CellWords, columnWriter, describe, heatWriter, sayCell, valueWriter, writeCount } from './words';

const [heat] = readHeats(
  [
    toDataFrame({
      meta: { type: 'heatmap-cells' },
      name: 'gc.stw{node="0"}',
      fields: [
        {
          name: 'xMax',
          type: FieldType.time,
          config: { interval: 1000 },
          values: [1_700_000_001_000, 1_700_000_001_000],
        },
        { name: 'yMin', type: FieldType.number, config: { unit: 's' }, values: [0.000065536, 0.001] },
        { name: 'yMax', type: FieldType.number, config: { unit: 's' }, values: [0.000131072, 0.002] },
        { name: 'count', type: FieldType.number, values: [1234567, 4] },
        { name: 'yLayout', type: FieldType.number, values: [0, 1] },
      ],
    }),
  ],
  1000
);
const axis = defaultOptions.yAxis;
const write = valueWriter(heat, axis);

story('what is said of a cell', () => {
  it('is its bounds in their unit, its exact count and its share of the column', () => {
    expect(describe(heat, 0, 0, defaultOptions, 'utc')).toEqual({
      series: 'gc.stw{node="0"}',
      where: '2023-11-14 22:13:20 – 22:13:21',
      facts: [
        { name: 'Bucket', text: '(65.5 µs, 131 µs]' },
        { name: 'Count', text: '1234567' },
        { name: 'Share of column', text: '100.00%' },
      ],
    });
  });

  const fact = (words: CellWords, name: string) => words.facts.find((f) => f.name === name)?.text;

  it('has the brackets of the bounds that it includes', () => {
    expect(fact(describe(heat, 0, 1, defaultOptions, 'utc'), 'Bucket')).toBe('[1 ms, 2 ms)');
  });

  it('has a share of the hits in its own column', () => {
    const words = describe({ ...heat, totals: Float64Array.of(16) }, 0, 1, defaultOptions, 'utc');
    expect(fact(words, 'Share of column')).toBe('25.00%');
  });

  it('is its place and its share of all in a goroutine grid', () => {
    const words = describe({ ...heat, isGrid: true, totals: Float64Array.of(5, 3) }, 0, 1, defaultOptions, 'utc');
    expect(words.where).toBe('Cell 0, 1');
    expect(words.facts).toEqual([
      { name: 'Count', text: '4' },
      { name: 'Share of grid', text: '50.00%' },
    ]);
  });

  it('is one sentence when it is read aloud', () => {
    expect(sayCell(describe(heat, 0, 1, defaultOptions, 'utc'))).toBe(
      'gc.stw{node="0"}, 2023-11-14 22:13:20 – 22:13:21, Bucket [1 ms, 2 ms), Count 4, Share of column 0.00%'
    );
  });
});

story('what is said of a cell of a spectrum', () => {
  const [spectrum] = readHeats(
    [
      toDataFrame({
        meta: { type: 'heatmap-cells' },
        name: 'http.request',
        fields: [
          { name: 'xMin', type: FieldType.number, config: { unit: 's' }, values: [0, 128] },
          { name: 'xMax', type: FieldType.number, config: { unit: 's' }, values: [0.0000098941, Infinity] },
          { name: 'yMin', type: FieldType.number, values: [11.5, 11.5] },
          { name: 'yMax', type: FieldType.number, config: { displayNameFromDS: 'depth' }, values: [12.5, 12.5] },
          { name: 'count', type: FieldType.number, values: [3, 1] },
        ],
      }),
    ],
    1000
  );

  it('is its bin in the unit of the axis, and the number of its row', () => {
    const words = describe(spectrum, 0, 0, defaultOptions, 'utc');
    expect(words).toEqual({
      series: 'http.request',
      where: '0 s – 9.89 µs',
      facts: [
        { name: 'depth', text: '12' },
        { name: 'Count', text: '3' },
        { name: 'Share of column', text: '100.00%' },
      ],
    });
    expect(describe(spectrum, 1, 0, defaultOptions, 'utc').where).toBe('2.13 mins – +∞');
  });

  it('has an axis in the unit of its bins', () => {
    expect(columnWriter(spectrum)(0.00002)).toBe('20 µs');
  });
});

story('what is said of a value of a gauge', () => {
  const [gauge] = readHeats(
    [
      toDataFrame({
        meta: { type: 'heatmap-rows' },
        name: 'mem.heap.live',
        fields: [
          { name: 'time', type: FieldType.time, config: { interval: 1000 }, values: [1_700_000_001_000] },
          { name: 'shop 42-1', type: FieldType.number, config: { unit: 'bytes' }, values: [3 << 20] },
          { name: 'shop 77-9', type: FieldType.number, config: { unit: 'bytes' }, values: [null] },
        ],
      }),
    ],
    1000
  );

  it('is whose it is and the value in its unit, and no share of anything', () => {
    expect(describe(gauge, 0, 0, defaultOptions, 'utc')).toEqual({
      series: 'shop 42-1',
      where: '2023-11-14 22:13:20 – 22:13:21',
      facts: [{ name: 'Value', text: '3 MiB' }],
    });
    expect(describe(gauge, 0, 1, defaultOptions, 'utc').facts).toEqual([{ name: 'Value', text: 'none' }]);
  });

  it('has a legend in that unit, where counts have one of numbers', () => {
    expect([heatWriter(gauge, axis)(2048), heatWriter(heat, axis)(2048)]).toEqual(['2 KiB', '2.05 K']);
    expect(heatWriter(gauge, { ...axis, unit: 'percentunit' })(0.5)).toBe('50%');
  });
});

story('a count', () => {
  it.each([
    [1, '1'],
    [1234567, '1234567'],
    [9007199254740991, '9007199254740991'],
  ])('of %i is written in full', (count, text) => {
    expect(writeCount(count)).toBe(text);
  });
});

story('a bound', () => {
  it('is written in the unit and decimals of the options', () => {
    expect(valueWriter(heat, { ...axis, unit: 'ms', decimals: 2 })(1.5)).toBe('1.50 ms');
  });

  it('may be infinite', () => {
    expect([write(Infinity), write(-Infinity)]).toEqual(['+∞', '-∞']);
  });
});
