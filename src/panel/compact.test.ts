import { readFileSync } from 'node:fs';
import { type DataFrame, dataFrameFromJSON, type DataFrameJSON, FieldType, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { MalformedFrame } from './fields';
import { readHeats } from './frames';
import { Enclosure, type Heat, isEmpty, sumHeats } from './heat';
import { defaultOptions } from './options';
import { gridOf, rampOf } from './picture';
import { describe as tell } from './words';

/** Frames that pkg/frames/compact_test.go has written: pauses, goroutines, bytes, nothing, and pauses with their stream. */
const text = readFileSync(new URL('../../pkg/frames/testdata/compact.jsonc', import.meta.url), 'utf8');
const made = (): DataFrame[] =>
  (JSON.parse(text.replace(/^\s*\/\/.*$/gm, '')) as { frames: DataFrameJSON[] }).frames.map((json) =>
    dataFrameFromJSON(json)
  );

const noon = Date.UTC(2026, 10, 22, 12);

/** All cells with hits: the start of the column in seconds after noon, the bounds of the bucket, and the hits. */
const cellsOf = ({ counts, x, y }: Heat) =>
  Array.from(counts).flatMap((count, cell) => {
    const [column, row] = [Math.floor(cell / y.from.length), cell % y.from.length];
    return Number.isNaN(count) ? [] : [[(x.from[column] - noon) / 1000, y.from[row], y.to[row], count]];
  });

const read = (frames: DataFrame[]) => readHeats(frames, 1000);

describe('a compact frame', () => {
  it('is read as heat, with its outermost buckets as they are', () => {
    const [pauses] = read(made().slice(0, 1));
    const bound = (i: number) => 2 ** ((i - 184) / 8);
    expect(cellsOf(pauses)).toEqual([
      [0, expect.closeTo(bound(67), 9), expect.closeTo(bound(68), 9), 1],
      [0, expect.closeTo(bound(106), 9), expect.closeTo(bound(107), 9), 1],
      [20, 0, 2 ** -23, 1],
      [20, 128, Infinity, 1],
    ]);
    expect(pauses.name).toBe('gc.stw{node="0", reason="mark termination"}');
    expect(Array.from(pauses.totals)).toEqual([2, 0, 2]);
    expect(pauses.x.to[2] - pauses.x.from[0]).toBe(30_000);
    const rows = pauses.y.from.length;
    expect([0, 1, rows - 1].map((row) => pauses.enclosures![row])).toEqual([
      Enclosure.Closed,
      Enclosure.OpenLeft,
      Enclosure.Open,
    ]);
  });

  it('is told in the unit that it says, down to the last hit', () => {
    const [, goroutines, bytes] = read(made().slice(0, 3));
    expect(cellsOf(goroutines)).toEqual([
      [0, 0.5, 1, 7],
      [3, 0.5, 1, Number.MAX_SAFE_INTEGER],
    ]);
    const { facts } = tell(bytes, 0, bytes.y.from.length - 1, defaultOptions, 'utc');
    expect(facts[0]).toEqual({ name: 'Bucket', text: '(59.6 KiB, 65.0 KiB]' });
  });

  it('is left unread until somebody asks for its counts', () => {
    const [frame] = made();
    frame.fields[0].values[0] = 'not cells at all';
    const [heat] = read([frame]);
    expect(isEmpty(heat)).toBe(false);
    expect(rampOf([heat], defaultOptions.color)).toMatchObject({ min: 1, max: 1 });
    expect(heat.wire).toMatchObject({ cells: 'not cells at all' });
    expect(() => heat.counts).toThrow(
      new MalformedFrame(
        'frame "gc.stw{node=\\"0\\", reason=\\"mark termination\\"}": cells: not base64: character 3 is " "'
      )
    );
  });

  it('without a hit is empty', () => {
    const [nothing] = read(made().slice(3, 4));
    expect(isEmpty(nothing)).toBe(true);
    expect(nothing.x.from).toHaveLength(0);
  });

  it('adds up with a plain one', () => {
    const [pauses] = made();
    const plain = toDataFrame({
      fields: [
        { name: 'xMax', type: FieldType.time, values: [noon + 10_000, noon + 10_000], config: { interval: 10_000 } },
        { name: 'yMin', type: FieldType.number, values: [0, 1000] },
        { name: 'yMax', type: FieldType.number, values: [2 ** -23, 2000] },
        { name: 'count', type: FieldType.number, values: [3, 4] },
      ],
    });
    const sum = sumHeats(read([pauses, plain]), 'all');
    expect(cellsOf(sum).filter(([at, from]) => at === 0 && (from === 0 || from === 1000))).toEqual([
      [0, 0, 2 ** -23, 3],
      [0, 1000, 2000, 4],
    ]);
    expect(Array.from(sum.counts).reduce((n, count) => n + (count || 0), 0)).toBe(4 + 7);
    expect(sum.wire).toBeUndefined();
    expect(gridOf(sum).values).toHaveLength(sum.counts.length);
  });

  it.each([
    ['version', (c: Compact) => (c.version = 2), 'meta.custom.compact.version is 2, must be 1'],
    ['start', (c: Compact) => (c.x.start = 0.5), 'meta.custom.compact.x.start is 0.5, must be a whole number'],
    ['step', (c: Compact) => (c.x.step = 0), 'meta.custom.compact.x.step is 0, must be a whole number'],
    ['columns', (c: Compact) => (c.x.columns = -1), 'meta.custom.compact.x.columns is -1, must be a whole number'],
    [
      'most',
      (c: Compact) => delete c.count.most,
      'meta.custom.compact.count.most is undefined, must be a whole number',
    ],
    ['bounds', (c: Compact) => (c.y.bounds[2] = 0), 'meta.custom.compact.y.bounds[2] is 0, must be a number over'],
    [
      'infinity',
      (c: Compact) => (c.y.bounds[2] = null),
      'meta.custom.compact.y.bounds[2] is null, must be a number over',
    ],
    ['cells', (c: Compact) => (c.x.columns = 1 << 20), '1048576 columns of 242 rows: 253755392 cells, at most 4194304'],
  ])('that says a wrong %s is refused', (_, spoil, message) => {
    const [frame] = made();
    spoil(frame.meta!.custom!.compact);
    expect(() => read([frame])).toThrow(MalformedFrame);
    expect(() => read([frame])).toThrow(message);
  });

  it('without its text is refused', () => {
    const [frame] = made();
    frame.fields[0].name = 'other';
    expect(() => read([frame])).toThrow('field cells must be there, and be one text');
  });
});

interface Compact {
  version: number;
  x: { start: number; step: number; columns: number };
  y: { bounds: Array<number | null> };
  count: { most?: number };
}

describe('a live series', () => {
  it('is one: what was, and what came since', () => {
    const [history, rest] = made().slice(4);
    const came = read([rest, history]);
    expect(came).toHaveLength(1);
    // The stream has said the third column again, and no other.
    expect(cellsOf(came[0])).toEqual(cellsOf(read([history])[0]));

    rest.fields[0].values.push(noon + 40_000);
    rest.fields[1].values.push(200e-6);
    rest.fields[2].values.push(300e-6);
    rest.fields[3].values.push(5);
    rest.fields[4].values.push(0);
    rest.fields[3].values[0] = 2;
    rest.length++;
    const [more] = read([history, rest]);
    expect(cellsOf(more).slice(2)).toEqual([
      [20, 0, 2 ** -23, 2],
      [20, 128, Infinity, 1],
      [30, 200e-6, 300e-6, 5],
    ]);
    expect(more.extent).toBeUndefined();
    expect(more.wire).toBeUndefined();
    expect(Array.from(more.totals)).toEqual([2, 0, 3, 5]);
  });

  it('is left unread while nothing has come', () => {
    const [history, rest] = made().slice(4);
    rest.fields.forEach((field) => (field.values = []));
    rest.length = 0;
    expect(read([history, rest]).map((heat) => heat.wire)).toEqual([expect.anything()]);
  });

  it('goes on with its own stream only', () => {
    const [history, rest] = made().slice(4);
    rest.meta!.custom!.stream = 'heat/of-another';
    expect(read([history, rest])).toHaveLength(2);
  });
});
