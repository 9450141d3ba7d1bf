import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  countsOfWire,
  gridOfWire,
  isWire,
  MalformedCells,
  maxHits,
  maxWireCells,
  type WireGrid,
} from './wire';

/** The bytes of numbers, low bits first, as pkg/heat/cells.go writes them. */
function varints(...numbers: bigint[]): number[] {
  return numbers.flatMap((n) => {
    const bytes = [];
    for (; n >= 0x80n; n >>= 7n) {
      bytes.push(Number(n & 0x7fn) | 0x80);
    }
    return [...bytes, Number(n)];
  });
}

/** Writes counts, NaN for a cell without a hit. */
function write(counts: number[]): string {
  const numbers: bigint[] = [];
  let gap = 0n;
  for (const count of counts) {
    if (Number.isNaN(count)) {
      gap++;
      continue;
    }
    numbers.push(...(gap > 0n ? [2n * gap] : []), 2n * BigInt(count) + 1n);
    gap = 0n;
  }
  return base64(varints(...numbers, ...(gap > 0n ? [2n * gap] : [])));
}

const base64 = (bytes: number[]) => Buffer.from(bytes).toString('base64');

const counts = fc.oneof(
  { weight: 4, arbitrary: fc.constant(NaN) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 1, arbitrary: fc.maxSafeInteger().map((n) => Math.max(1, Math.abs(n))) },
  { weight: 1, arbitrary: fc.constant(maxHits) }
);

const grids = fc.record({ columns: fc.nat(30), rows: fc.nat(30) }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    counts: fc.array(counts, { minLength: size.columns * size.rows, maxLength: size.columns * size.rows }),
  })
);

const read = (cells: string, size = 3) => countsOfWire({ columns: size, rows: 1, cells });

describe('cells on the wire', () => {
  it('come back as they were written, each hit of them', () => {
    fc.assert(
      fc.property(grids, ({ size, counts }) => {
        const cells = write(counts);
        expect(Array.from(countsOfWire({ ...size, cells }))).toEqual(counts);
        expect(Array.from(countsOfWire({ ...size, cells: bytesOf(cells) }))).toEqual(counts);
      })
    );
  });

  it('are drawn as the same grid', () => {
    fc.assert(
      fc.property(grids, ({ size, counts }) => {
        const grid = gridOfWire({ ...size, cells: write(counts) });
        expect(grid).toEqual({ ...size, at: undefined, values: Float32Array.from(counts) });
        expect(isWire(grid)).toBe(false);
      })
    );
  });

  it('are read, or refused with the place, and never taken for something else', () => {
    const texts = fc.oneof(
      fc.uint8Array({ maxLength: 12 }).map((bytes) => base64(Array.from(bytes))),
      fc.string({ maxLength: 12 })
    );
    fc.assert(
      fc.property(texts, fc.nat(6), (cells, size) => {
        try {
          // There is one way only to write some cells.
          expect(write(Array.from(read(cells, size)))).toBe(cells);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedCells);
          expect((error as Error).message).toMatch(/^cells: /);
        }
      }),
      { numRuns: 1000 }
    );
  });

  it.each([
    ['cut off', [0x80], 'byte 0: the last number is cut off'],
    ['too many hits', varints(2n ** 54n + 1n), 'byte 0: a number is over 9007199254740991'],
    ['endless', Array(12).fill(0xff), 'byte 0: a number is over 9007199254740991'],
    ['longer than it must be', [0x83, 0], 'byte 0: a number is longer than it must be'],
    ['no hits', varints(1n), 'byte 0: a cell of no hits'],
    ['no gap', varints(0n), 'byte 0: a gap of no cells'],
    ['two gaps', varints(2n, 4n), 'byte 1: a gap follows a gap'],
    ['one too many', varints(4n, 3n, 3n), 'byte 2: more cells than 3'],
    ['a gap too long', varints(8n), 'byte 0: more cells than 3'],
    ['too few', varints(3n), 'there are 1, must be 3'],
  ])('that are %s are refused', (_, bytes, message) => {
    expect(() => read(base64(bytes))).toThrow(new MalformedCells(`cells: ${message}`));
  });

  it.each([
    ['AAA', '3 characters, must be a multiple of 4'],
    ['Aw=A', 'character 2 is "="'],
    ['AwM\n', 'character 3 is "\\n"'],
    ['AwMÿ', 'character 3 is "ÿ"'],
    ['AwM✓', 'character 3 is "✓"'],
    ['AwN=', 'its last character has bits that no byte has'],
    ['A===', 'character 1 is "="'],
  ])('that are %j are refused', (cells, message) => {
    expect(() => read(cells, 2)).toThrow(new MalformedCells(`cells: not base64: ${message}`));
  });

  it.each([
    [{ columns: 2.5, rows: 1 }, 'columns is 2.5, must be a whole number up to 4194304'],
    [{ columns: 1, rows: -1 }, 'rows is -1, must be a whole number up to 4194304'],
    [{ columns: 1 << 20, rows: 5 }, '1048576 columns of 5 rows: 5242880 cells, at most 4194304'],
  ])('of %j are refused before there is room for them', (size, message) => {
    expect(() => countsOfWire({ ...size, cells: '' })).toThrow(new MalformedCells(message));
  });

  it('are as large as a grid may be', () => {
    expect(
      countsOfWire({ columns: maxWireCells, rows: 1, cells: base64(varints(2n * BigInt(maxWireCells))) })
    ).toHaveLength(maxWireCells);
  });
});

interface Said {
  x: { columns: number };
  y: { bounds: unknown[] };
  count: { cells: number; least: number; most: number };
}

it('what Go has written is read here as it was counted there', () => {
  const text = readFileSync(new URL('../../pkg/frames/testdata/compact.jsonc', import.meta.url), 'utf8');
  const { frames } = JSON.parse(text.replace(/^\s*\/\/.*$/gm, ''));
  const found = frames
    .filter(({ schema }: { schema: { meta: { custom: object } } }) => 'compact' in schema.meta.custom)
    .map(({ schema, data }: { schema: { meta: { custom: { compact: Said } } }; data: { values: string[][] } }) => {
      const { x, y, count } = schema.meta.custom.compact;
      const wire: WireGrid = { columns: x.columns, rows: Math.max(0, y.bounds.length - 1), cells: data.values[0][0] };
      const hits = Array.from(countsOfWire(wire)).filter((hit) => !Number.isNaN(hit));
      expect(count).toMatchObject({
        cells: hits.length,
        ...(hits.length > 0 && { least: Math.min(...hits), most: Math.max(...hits) }),
      });
      return hits;
    });
  expect(found).toEqual([[1, 1, 1, 1], [7, maxHits], [1, 1, 1], [], [1, 1, 1, 1]]);
});
