import { type DataFrame, FieldType, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { MalformedFrame } from './fields';
import { readHeats } from './frames';
import { cellAt, Enclosure, type Heat, isFilled, maxCells, sumHeats } from './heat';
import { defaultOptions } from './options';
import { valueScale } from './picture';

const second = 1000;

interface Cell {
  xMax: number;
  yMin: number;
  yMax: number;
  count: number | null;
}

/** Two columns of pauses: three buckets in the first, one of them also in the second. */
const pauses: Cell[] = [
  { xMax: 11 * second, yMin: 1e-6, yMax: 2e-6, count: 4 },
  { xMax: 11 * second, yMin: 2e-6, yMax: 4e-6, count: 1 },
  { xMax: 11 * second, yMin: 8e-6, yMax: 16e-6, count: 3 },
  { xMax: 12 * second, yMin: 2e-6, yMax: 4e-6, count: 5 },
];

function sparse(cells: Cell[], labels: Record<string, string> = {}): DataFrame {
  return toDataFrame({
    name: 'gc.stw',
    meta: { type: 'heatmap-cells' },
    fields: [
      { name: 'xMax', type: FieldType.time, config: { interval: second }, values: cells.map((c) => c.xMax) },
      { name: 'yMin', type: FieldType.number, config: { unit: 's' }, values: cells.map((c) => c.yMin) },
      { name: 'yMax', type: FieldType.number, config: { unit: 's' }, values: cells.map((c) => c.yMax) },
      { name: 'count', type: FieldType.number, labels, values: cells.map((c) => c.count) },
      { name: 'yLayout', type: FieldType.number, values: cells.map(() => 0) },
    ],
  });
}

const read = (...frames: DataFrame[]) => readHeats(frames, second);

/** The cells of a series that have a count, in words. */
function cellsOf(heat: Heat): string[] {
  const cells: string[] = [];
  for (let column = 0; column < heat.x.from.length; column++) {
    for (let row = 0; row < heat.y.from.length; row++) {
      const count = heat.counts[cellAt(heat, column, row)];
      if (!Number.isNaN(count)) {
        cells.push(`${heat.x.from[column]}-${heat.x.to[column]} ${heat.y.from[row]}-${heat.y.to[row]}: ${count}`);
      }
    }
  }
  return cells;
}

describe('a sparse frame', () => {
  it('becomes columns that end at xMax and rows between yMin and yMax', () => {
    const [heat] = read(sparse(pauses));
    expect(cellsOf(heat)).toEqual([
      '10000-11000 0.000001-0.000002: 4',
      '10000-11000 0.000002-0.000004: 1',
      '10000-11000 0.000008-0.000016: 3',
      '11000-12000 0.000002-0.000004: 5',
    ]);
    expect([...heat.totals]).toEqual([8, 5]);
    expect(heat.xIsTime).toBe(true);
    expect(heat.yField.config.unit).toBe('s');
    expect(heat.enclosures?.[0]).toBe(Enclosure.OpenLeft);
  });

  it('takes the smallest gap for the width of a column when the frame does not say it', () => {
    const frame = sparse([...pauses, { xMax: 30 * second, yMin: 1e-6, yMax: 2e-6, count: 1 }]);
    frame.fields[0].config = {};
    const [heat] = read(frame);
    expect([...heat.x.from]).toEqual([10_000, 11_000, 29_000]);
  });

  it('lets a later row of a cell replace an earlier one, as live columns do', () => {
    const [heat] = read(sparse([...pauses, { ...pauses[3], count: 7 }]));
    expect(cellsOf(heat).at(-1)).toBe('11000-12000 0.000002-0.000004: 7');
    expect([...heat.totals]).toEqual([8, 7]);
  });

  it('reads columns that come out of order', () => {
    expect(cellsOf(read(sparse(pauses.toReversed()))[0])).toEqual(cellsOf(read(sparse(pauses))[0]));
  });

  it('leaves out a cell whose count is null', () => {
    expect(cellsOf(read(sparse([...pauses.slice(0, 3), { ...pauses[3], count: null }]))[0])).toHaveLength(3);
  });

  it('takes buckets that are open to infinity', () => {
    const [heat] = read(sparse([{ xMax: second, yMin: 128, yMax: Infinity, count: 1 }]));
    expect(heat.y.to[0]).toBe(Infinity);
  });

  it('is named by its display name, its frame or its labels', () => {
    expect(read(sparse(pauses))[0].name).toBe('gc.stw');
    const labelled = { ...sparse(pauses, { node: '0', reason: '' }), name: undefined };
    expect(read(labelled)[0].name).toBe('node=0, reason=(none)');
    const named = sparse(pauses);
    named.fields[3].config.displayNameFromDS = 'node 0';
    expect(read(named)[0].name).toBe('node 0');
  });
});

describe('a dense frame', () => {
  const dense = (xName: string, yName: string): DataFrame =>
    toDataFrame({
      meta: { type: 'heatmap-cells' },
      fields: [
        { name: xName, type: FieldType.time, values: [10, 10, 20, 20] },
        { name: yName, type: FieldType.number, values: [1, 2, 1, 2] },
        { name: 'hits', type: FieldType.number, values: [5, 0, 7, 8] },
        { name: 'errors', type: FieldType.number, values: [0, 0, 1, 0] },
      ],
    });

  it.each([
    ['xMax', 'yMax', '0-10 0-1: 5'],
    ['xMin', 'yMin', '10-20 1-2: 5'],
    ['x', 'y', '5-15 0.5-1.5: 5'],
  ])('has its cells where %s and %s say, and the first other number in them', (xName, yName, first) => {
    expect(cellsOf(read(dense(xName, yName))[0])[0]).toBe(first);
  });
});

describe('a malformed frame is refused with the field and the fault', () => {
  const without = (name: string) => {
    const frame = sparse(pauses);
    return { ...frame, fields: frame.fields.filter((field) => field.name !== name) };
  };
  const changed = (name: string, values: unknown[]) => {
    const frame = sparse(pauses);
    frame.fields.find((field) => field.name === name)!.values = values;
    return frame;
  };

  it.each<[string, DataFrame, RegExp]>([
    ['no xMax', without('xMax'), /frame "gc.stw" has no field x, xMin, xMax; it has yMin, yMax, count, yLayout/],
    ['no count', without('count'), /has no field count/],
    ['no yMin and a dense reading', without('yMin'), /./],
    [
      'text for a count',
      { ...sparse(pauses), fields: withType('count', FieldType.string) },
      /field count is of type string/,
    ],
    ['fewer counts', changed('count', [1]), /field count has 1 values, xMax has 4/],
    ['a time that is none', changed('xMax', [1, null, 3, 4]), /field xMax, row 1: null is not a number/],
    ['a bound that is none', changed('yMin', [1e-6, NaN, 8e-6, 2e-6]), /field yMin, row 1: NaN is not a number/],
    [
      'bounds the wrong way round',
      changed('yMax', [2e-6, 4e-6, 1e-6, 4e-6]),
      /field yMax, row 2: 0.000001 is not over yMin, which is 0.000008/,
    ],
    ['a negative count', changed('count', [4, 1, -3, 5]), /field count, row 2: -3 is not a count/],
    ['an infinite count', changed('count', [4, 1, Infinity, 5]), /field count, row 2: Infinity is not a count/],
  ])('%s', (name, frame, message) => {
    if (name === 'no yMin and a dense reading') {
      // Without yMin it is a dense frame by its upper bounds, which is well formed.
      expect(() => read(frame)).not.toThrow();
      return;
    }
    expect(() => read(frame)).toThrow(MalformedFrame);
    expect(() => read(frame)).toThrow(message);
  });

  function withType(name: string, type: FieldType) {
    return sparse(pauses).fields.map((field) => (field.name === name ? { ...field, type } : field));
  }

  it('frames without heat', () => {
    const series = toDataFrame({ name: 'A', fields: [{ name: 'Time', type: FieldType.time, values: [1] }] });
    expect(() => read(series)).toThrow('no heatmap: frame "A" has Time; needed are xMax, yMin, yMax, count');
  });

  it('more cells than can be drawn', () => {
    const side = 2049;
    const diagonal = Array.from({ length: side }, (_, i) => ({ xMax: i * second, yMin: i, yMax: i + 1, count: 1 }));
    expect(() => read(sparse(diagonal))).toThrow(`${side * side} cells, at most ${maxCells} can be drawn`);
  });

  it('but no frames at all are no fault', () => {
    expect(read()).toEqual([]);
  });
});

describe('a frame with both ends of its columns', () => {
  const binned = (xMax: number[]) =>
    toDataFrame({
      name: 'http.request',
      meta: { type: 'heatmap-cells' },
      fields: [
        { name: 'xMin', type: FieldType.number, config: { unit: 's' }, values: [0, 0, 20] },
        { name: 'xMax', type: FieldType.number, values: xMax },
        { name: 'yMin', type: FieldType.number, values: [-0.5, 31.5, 31.5] },
        { name: 'yMax', type: FieldType.number, values: [0.5, 32.5, 32.5] },
        { name: 'count', type: FieldType.number, values: [5, 6, 7] },
      ],
    });

  it('has columns of any width, and no time', () => {
    const [heat] = read(binned([10, 10, Infinity]));
    expect(heat.xIsTime).toBe(false);
    expect(heat.xField.config.unit).toBe('s');
    expect(cellsOf(heat)).toEqual(['0-10 -0.5-0.5: 5', '0-10 31.5-32.5: 6', '20-Infinity 31.5-32.5: 7']);
  });

  it('is refused when they are the wrong way round', () => {
    expect(() => read(binned([10, 10, 20]))).toThrow(
      'frame "http.request": field xMax, row 2: 20 is not over xMin, which is 20'
    );
  });
});

describe('the rows of a gauge', () => {
  const gauge = (...values: Array<Array<number | null>>) =>
    toDataFrame({
      name: 'mem.heap.live',
      meta: { type: 'heatmap-rows' },
      fields: [
        { name: 'time', type: FieldType.time, config: { interval: second }, values: [11 * second, 12 * second] },
        ...values.map((row, i) => ({ name: `shop ${i}`, type: FieldType.number, values: row })),
      ],
    });

  it('have names, and values that may be 0', () => {
    const [heat] = read(gauge([0, 7], [null, 9]));
    expect(heat.rowNames).toEqual(['shop 0', 'shop 1']);
    expect(cellsOf(heat)).toEqual(['10000-11000 0-1: 0', '11000-12000 0-1: 7', '11000-12000 1-2: 9']);
    expect([0, 1, 2, 3].map((cell) => isFilled(heat, cell))).toEqual([true, false, true, true]);
  });

  it('are none where no process is watched, which is no fault', () => {
    expect(read(gauge())).toEqual([]);
  });

  it('are refused with a value that is none', () => {
    expect(() => read(gauge([1, Infinity]))).toThrow('field shop 0, row 1: Infinity is not a number');
  });
});

describe('the rows of a Prometheus histogram', () => {
  const histogram = (les: string[], values: number[][], labels = {}) =>
    toDataFrame({
      // Grafana's Prometheus data source calls the frame as its first bucket.
      name: les[0],
      meta: { type: 'heatmap-rows' },
      fields: [
        { name: 'Time', type: FieldType.time, config: { interval: second }, values: [11 * second, 12 * second] },
        ...les.map((le, i) => ({
          name: le,
          type: FieldType.number,
          config: { displayNameFromDS: le },
          labels: { ...labels, le },
          values: values[i],
        })),
      ],
    });
  const requests = histogram(
    ['0.1', '1', '2.5', '+Inf'],
    [
      [4, 0],
      [2, 7],
      [0, 0],
      [1, 0],
    ],
    { job: 'shop' }
  );

  it('are buckets, the lowest from zero and the highest without an end', () => {
    const [heat] = read(requests);
    expect(heat.rowNames).toBeUndefined();
    expect(heat.name).toBe('job=shop');
    expect(cellsOf(heat).filter((cell) => !cell.endsWith(': 0'))).toEqual([
      '10000-11000 0-0.1: 4',
      '10000-11000 0.1-1: 2',
      '10000-11000 2.5-Infinity: 1',
      '11000-12000 0.1-1: 7',
    ]);
    expect([...heat.totals]).toEqual([7, 7]);
    expect(isFilled(heat, cellAt(heat, 1, 0))).toBe(false);
    const encloses = (row: number) => heat.enclosures?.[cellAt(heat, 0, row)];
    expect([0, 1, 3].map(encloses)).toEqual([Enclosure.Closed, Enclosure.OpenLeft, Enclosure.Open]);
  });

  it('are equally high, as in the panel that Grafana has, unless a user wants them otherwise', () => {
    const heats = read(requests);
    expect(valueScale(heats, defaultOptions.yAxis)).toMatchObject({ kind: 'ordinal', min: 0, max: 4 });
    expect(valueScale(heats, { ...defaultOptions.yAxis, scale: 'log' }).kind).toBe('log');
  });

  it('may begin below zero', () => {
    const [heat] = read(
      histogram(
        ['-1', '1'],
        [
          [1, 0],
          [0, 2],
        ]
      )
    );
    expect([...heat.y.from]).toEqual([-Infinity, -1]);
  });

  it('keep their names where their bounds are no ascending numbers', () => {
    const twice = [
      [1, 0],
      [0, 2],
    ];
    expect(read(histogram(['1', '1.0'], twice))[0].rowNames).toEqual(['1', '1.0']);
    expect(read(histogram(['fast', 'slow'], twice))[0].rowNames).toEqual(['fast', 'slow']);
  });

  it('are refused where they have other values than times', () => {
    const frame = histogram(['1', '2'], [[1, 0], [2]]);
    expect(() => read(frame)).toThrow(/field 2 has 1 values, Time has 2/);
  });
});

describe('series added up', () => {
  it('have the counts of both where they share a cell, and each its own elsewhere', () => {
    const other = sparse([
      { xMax: 11 * second, yMin: 1e-6, yMax: 2e-6, count: 10 },
      { xMax: 13 * second, yMin: 4e-6, yMax: 8e-6, count: 20 },
    ]);
    const heats = read(sparse(pauses), other);
    const before = heats.map(cellsOf);
    const sum = sumHeats(heats, 'both');
    expect(cellsOf(sum)).toEqual([
      '10000-11000 0.000001-0.000002: 14',
      '10000-11000 0.000002-0.000004: 1',
      '10000-11000 0.000008-0.000016: 3',
      '11000-12000 0.000002-0.000004: 5',
      '12000-13000 0.000004-0.000008: 20',
    ]);
    expect([...sum.totals]).toEqual([18, 5, 20]);
    expect(heats.map(cellsOf)).toEqual(before);
  });
});

describe('the goroutine grid', () => {
  const grid = (side: number, x = [3, 255], y = [0, 7]) =>
    toDataFrame({
      name: 'goroutines',
      meta: { type: 'goroutine-grid', custom: { side, carried: 9, hits: 12 } },
      fields: [
        { name: 'x', type: FieldType.number, values: x },
        { name: 'y', type: FieldType.number, values: y },
        { name: 'count', type: FieldType.number, values: [2, 7] },
        { name: 'goroutines', type: FieldType.other, values: [[{ goid: '42', function: 'main.work', count: 2 }], []] },
      ],
    });

  it('is a square of cells, and says that it is made of a part of the hits', () => {
    const [heat] = read(grid(256));
    expect(heat.xIsTime).toBe(false);
    expect(heat.counts).toHaveLength(256 * 256);
    expect(cellsOf(heat)).toEqual(['3-4 0-1: 2', '255-256 7-8: 7']);
    expect(heat.name).toBe('goroutines, 9 of 12 hits');
    expect(heat.details[0].texts.get(cellAt(heat, 3, 0))).toBe('goroutine 42 main.work: 2');
  });

  it.each([
    ['a side that no grid has', grid(300), /meta.custom.side is 300, must be 256, 512 or 1024/],
    ['a cell outside of it', grid(256, [3, 256]), /field x, row 1: 256 is not a cell of 0 to 255/],
  ])('is refused with %s', (_, frame, message) => {
    expect(() => read(frame)).toThrow(message);
  });
});
