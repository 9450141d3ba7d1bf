import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { toDataFrame, FieldType } from '@grafana/data';
import type { Compact } from '../panel/compact';
import { MalformedFrame } from '../panel/fields';
import { readHeats } from '../panel/frames';
import type { Heat } from '../panel/heat';
import { countsOfWire, MalformedCells } from '../renderer';
import { startBuilt } from './built';
import { type HeatProgram, ProgramError } from './program';
import { Replay } from './replay';
import { maxFile, NotSavedHeat, open, read, write } from './saved';

let program: HeatProgram;
beforeAll(async () => {
  program = await startBuilt();
}, 180_000);

const counts = fc.oneof(fc.constant(NaN), fc.integer({ min: 1, max: 1000 }), fc.constant(2 ** 40));

const heats = fc
  .record({ columns: fc.integer({ min: 1, max: 40 }), rows: fc.integer({ min: 1, max: 12 }), step: fc.nat(5000) })
  .chain(({ columns, rows, step }) =>
    fc.record({
      columns: fc.constant(columns),
      rows: fc.constant(rows),
      step: fc.constant(step + 1),
      first: fc.nat(1000),
      counts: fc.array(counts, { minLength: columns * rows, maxLength: columns * rows }),
    })
  );

describe('heat that is cut in the browser', () => {
  it('has in each column the sum of those that it is made of', () => {
    fc.assert(
      fc.property(heats, fc.integer({ min: 1, max: 9 }), fc.nat(50), fc.nat(50), (heat, every, skip, length) => {
        const { columns, rows, step, first } = heat;
        const cells = program.press(Float64Array.from(heat.counts));
        expect(countsOfWire({ columns, rows, cells })).toEqual(Float64Array.from(heat.counts));

        const number = program.open({ start: first * step, step, columns, rows }, cells);
        const [from, to] = [(first + skip) * step, (first + skip + length) * step];
        const piece = program.cut(number, { from, to, every });
        const found = countsOfWire({ columns: piece.columns, rows, cells: piece.cells });

        const wide = every * step;
        const [begin, end] = [Math.floor(from / wide), Math.ceil(to / wide)];
        const sums = new Map<number, number>();
        heat.counts.forEach((count, cell) => {
          const column = Math.floor((first + Math.floor(cell / rows)) / every);
          if (count > 0 && column >= begin && column < end) {
            const at = column * rows + (cell % rows);
            sums.set(at, (sums.get(at) ?? 0) + count);
          }
        });
        const shown = Array.from(found).flatMap((count, cell) =>
          Number.isNaN(count) ? [] : [[(piece.start / wide) * rows + cell, count] as const]
        );
        expect(new Map(shown)).toEqual(sums);
        expect(piece.count).toEqual(
          sums.size > 0
            ? { cells: sums.size, least: Math.min(...sums.values()), most: Math.max(...sums.values()) }
            : { cells: 0, least: 0, most: 0 }
        );
        program.close();
      })
    );
  });

  it('says shares of a column in parts', () => {
    const cells = program.press(Float64Array.of(1, 3, NaN, 5));
    const heat = program.open({ start: 0, step: 1000, columns: 2, rows: 2 }, cells);
    const { columns, cells: shares } = program.cut(heat, { from: 0, to: 2000, every: 1, parts: 100 });
    expect(countsOfWire({ columns, rows: 2, cells: shares })).toEqual(Float64Array.of(25, 75, NaN, 100));
    program.close();
  });

  it('is refused with the reason, and the program goes on', () => {
    expect(() => program.press(Float64Array.of(0.5))).toThrow(
      new ProgramError('write cells: cell 0 has 0.5 hits, must be a whole number up to 9007199254740991')
    );
    expect(() => program.cut(7, { from: 0, to: 1, every: 1 })).toThrow('sheet 7, 0 are open');
    expect(program.press(Float64Array.of(1))).toEqual(Uint8Array.of(3));
  });
});

const noon = Date.UTC(2026, 10, 22, 12);

/** Heat with a gap between its columns and one between its rows. */
const pauses = () =>
  readHeats(
    [
      toDataFrame({
        name: 'gc.stw',
        meta: { type: 'heatmap-cells' as never },
        fields: [
          { name: 'xMax', type: FieldType.time, values: [noon, noon, noon + 20_000], config: { interval: 10_000 } },
          { name: 'yMin', type: FieldType.number, values: [0, 2, 4], config: { unit: 's' } },
          { name: 'yMax', type: FieldType.number, values: [1, 4, Infinity], config: { unit: 's' } },
          { name: 'count', type: FieldType.number, values: [7, 8, 9], labels: { node: '0' } },
        ],
      }),
    ],
    1000
  );

const filled = ({ counts, x, y }: Heat) =>
  Array.from(counts).flatMap((count, cell) => {
    const [column, row] = [Math.floor(cell / y.from.length), cell % y.from.length];
    return count > 0 ? [[x.from[column] - noon, y.from[row], y.to[row], count]] : [];
  });

const save = (heats: Heat[]) => write('Pauses', heats, new Date(noon), (counts) => program.press(counts));

describe('saved heat', () => {
  it('is read as it was', () => {
    const { title, saved, frames } = read(save(pauses()));
    expect([title, saved]).toEqual(['Pauses', noon]);
    const [heat] = readHeats(frames, 1);
    expect(filled(heat)).toEqual([
      [-10_000, 0, 1, 7],
      [-10_000, 2, 4, 8],
      [10_000, 4, Infinity, 9],
    ]);
    expect(filled(heat)).toEqual(filled(pauses()[0]));
    expect([heat.name, heat.yField.config.unit, heat.countField.labels]).toEqual(['gc.stw', 's', { node: '0' }]);
    expect(heat.extent).toEqual({ cells: 3, least: 7, most: 9 });
    // Saved again it is the same.
    expect(save([heat])).toBe(save(pauses()));
  });

  it('keeps rows of one height', () => {
    const [heat] = readHeats(read(save([{ ...pauses()[0], isOrdinal: true }])).frames, 1);
    expect(heat.isOrdinal).toBe(true);
  });

  const start = '{"gotherm":"heat","version":1,"title":"","saved":"2026-11-22","frames":';

  it.each([
    ['{', 'it is no JSON, or cut off: '],
    ['null', 'it is no saved heat: field gotherm must be "heat"'],
    ['{"gotherm":"cold"}', 'field gotherm must be "heat"'],
    ['{"gotherm":"heat","version":2}', 'field version is 2, must be 1'],
    ['{"gotherm":"heat","version":1,"title":"","saved":"soon"}', 'fields title and saved must be a text and a time'],
    [`${start}{}}`, 'field frames must be a list'],
    [`${start}[]}`, 'there is no heat in it'],
    [`${start}[null]}`, 'frames[0] is no compact frame'],
  ])('%s is none', (text, message) => {
    expect(() => read(text)).toThrow(NotSavedHeat);
    expect(() => read(text)).toThrow(message);
  });

  /** Saved heat with something else in its only frame. */
  const changed = (change: (frame: SavedFrame) => void) => {
    const file = JSON.parse(save(pauses()));
    change(file.frames[0]);
    return JSON.stringify(file);
  };

  it('is of a form that this panel knows, and has no more than it draws', () => {
    expect(() => read(changed(({ schema }) => (schema.meta.custom.compact.version = 3)))).toThrow(
      'meta.custom.compact.version is 3, must be 1'
    );
    expect(() => read(changed(({ schema }) => (schema.meta.custom.compact.x.columns = 1e9)))).toThrow(
      'frame "gc.stw": 1000000000 columns of 4 rows: 4000000000 cells, at most 4194304 can be drawn'
    );
    const large = changed(({ schema }) => (schema.meta.custom.compact.x.columns = 1 << 20));
    const several = (n: number) =>
      JSON.stringify({ ...JSON.parse(large), frames: Array(n).fill(JSON.parse(large).frames[0]) });
    expect(read(several(4)).frames).toHaveLength(4);
    expect(() => read(several(5))).toThrow('it has more than 16777216 cells');
    expect(() => read(several(1001))).toThrow('it has 1001 series, at most 1000');
  });

  it('brings no links into the panel', () => {
    const links = [{ title: 'More', url: 'javascript:alert(1)' }];
    const text = changed(({ schema }) => {
      Object.assign(schema.fields[0].config, { links });
      Object.assign(schema.meta, { notices: [{ link: links[0].url }] });
    });
    expect(read(text)).toEqual(read(save(pauses())));
  });

  it('is a file of up to so many bytes', async () => {
    const text = save(pauses());
    expect(await open(new File([text], 'pauses.heat.json'))).toEqual(read(text));
    const huge = new File([new Uint8Array(maxFile + 1)], 'huge.heat.json');
    await expect(open(huge)).rejects.toThrow('it has 67108865 bytes, at most 67108864');
  });

  it('opens, or is refused with a reason, whatever is in the file', () => {
    const whole = JSON.parse(save(pauses()));
    const paths = pathsOf(whole);
    let opened = 0;
    const change = fc.tuple(
      fc.constantFrom(...paths),
      fc.oneof(fc.jsonValue(), fc.maxSafeInteger(), fc.base64String())
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), fc.nat(), (changes, length) => {
        const text = JSON.stringify(changes.reduce((file, [path, value]) => replaced(file, path, value), whole));
        try {
          const replay = new Replay(program, read(length % 4 === 0 ? text.slice(0, length % text.length) : text));
          readHeats(replay.show(replay.range, 100), 1).forEach(filled);
          opened++;
        } catch (error) {
          expect([NotSavedHeat, MalformedFrame, MalformedCells, ProgramError].map((kind) => kind.name)).toContain(
            (error as Error).constructor.name
          );
        }
        program.close();
      }),
      { numRuns: 1000 }
    );
    expect(opened).toBeGreaterThan(0);
  });

  it('is not made of what is no heat over time, nor of none', () => {
    const [heat] = pauses();
    expect(() => save([{ ...heat, isGrid: true }])).toThrow("gc.stw can't be saved: it is not heat over time");
    expect(() => save([{ ...heat, x: { ...heat.x, to: heat.x.to.map((to, i) => to + i) } }])).toThrow(
      'its columns are not of one width in whole milliseconds'
    );
    const late = { from: heat.x.from.map((from) => from + 1), to: heat.x.to.map((to) => to + 1) };
    expect(() => save([{ ...heat, x: late }])).toThrow('do not begin at multiples of it');
    const far = { from: Float64Array.of(0, 1e12), to: Float64Array.of(1000, 1e12 + 1000) };
    expect(() => save([{ ...heat, x: far }])).toThrow(
      'with its gaps it has 1000000001 columns of 4 rows, at most 4194304 cells'
    );
    expect(() => save([{ ...heat, y: { ...heat.y, to: Float64Array.of(3, 4, Infinity) } }])).toThrow(
      'its rows overlap, or have no lower bound'
    );
    expect(() => save([])).toThrow('there is no heat in it');
    expect(() => save([{ ...heat, counts: heat.counts.map(() => NaN) }])).toThrow('there is no heat in it');
  });
});

interface SavedFrame {
  schema: { meta: { custom: { compact: Compact } }; fields: Array<{ config: object }> };
}

type Path = Array<string | number>;

/** Where something is in JSON, at any depth. */
function pathsOf(value: unknown, at: Path = []): Path[] {
  const inside = Array.isArray(value) ? [...value.entries()] : Object.entries(value ?? {});
  const isLeaf = typeof value !== 'object';
  return [at, ...(isLeaf ? [] : inside.flatMap(([key, child]) => pathsOf(child, [...at, key])))];
}

/** JSON with another value at a path; as it is where the path has gone. */
function replaced(json: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) {
    return value;
  }
  if (typeof json !== 'object' || json === null) {
    return json;
  }
  const copy = (Array.isArray(json) ? [...json] : { ...json }) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, value);
  return copy;
}

describe('a replay', () => {
  it('shows all of the heat in as many columns as have room, and a part of it as fine as it was saved', () => {
    const replay = new Replay(program, read(save(pauses())));
    expect(replay.range).toEqual({ from: noon - 10_000, to: noon + 20_000 });
    const [all] = readHeats(replay.show(replay.range, 1), 1);
    expect(filled(all)).toEqual([
      [-30_000, 0, 1, 7],
      [-30_000, 2, 4, 8],
      [0, 4, Infinity, 9],
    ]);
    const [part] = readHeats(replay.show({ from: noon + 12_000, to: noon + 14_000 }, 1), 1);
    expect(filled(part)).toEqual([[10_000, 4, Infinity, 9]]);
    expect(part.extent).toEqual({ cells: 1, least: 9, most: 9 });
    const [none] = readHeats(replay.show({ from: noon + 60_000, to: noon + 70_000 }, 100), 1);
    expect(filled(none)).toEqual([]);
    replay.close();
  });
});
