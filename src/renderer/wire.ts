import type { Grid } from './draw';

/**
 * A grid as the back end sends it (pkg/heat/cells.go): whole counts, column by
 * column, each from its lowest row up, as unsigned varints (7 bits a byte, the
 * low ones first, in as few bytes as can be), and those in base64:
 *
 *     2n      n cells without a hit, n > 0: the whole of a gap
 *     2n + 1  one cell with n hits, n > 0
 *
 * A worker is handed this text rather than numbers: it is a fraction of their size, and is read there.
 */
export interface WireGrid {
  columns: number;
  rows: number;
  /** The number of its first column, as of a [Grid]. */
  at?: number;
  /** Text as it came, or the bytes that it stands for. */
  cells: string | Uint8Array;
}

/** The most cells that a grid may have. */
export const maxWireCells = 1 << 22;

/** The most hits that a cell may have: whole numbers can be told apart up to here. */
export const maxHits = Number.MAX_SAFE_INTEGER;

/** Cells are not what their grid says, or no cells at all. The message says where it shows. */
export class MalformedCells extends Error {}

/** Whether a grid is yet to be read. */
export const isWire = (grid: Grid | WireGrid): grid is WireGrid => 'cells' in grid;

/** The grid to draw: NaN where there is no hit. Throws [MalformedCells]. */
export function gridOfWire(wire: WireGrid): Grid {
  const values = new Float32Array(sizeOf(wire));
  readCells(wire, values);
  return { columns: wire.columns, rows: wire.rows, at: wire.at, values };
}

/** The exact count of each cell: NaN where there is no hit. Throws [MalformedCells]. */
export function countsOfWire(wire: WireGrid): Float64Array<ArrayBuffer> {
  const counts = new Float64Array(sizeOf(wire));
  readCells(wire, counts);
  return counts;
}

function sizeOf({ columns, rows }: WireGrid): number {
  for (const [name, value] of Object.entries({ columns, rows })) {
    if (!Number.isInteger(value) || value < 0 || value > maxWireCells) {
      throw new MalformedCells(`${name} is ${value}, must be a whole number up to ${maxWireCells}`);
    }
  }
  if (columns * rows > maxWireCells) {
    throw new MalformedCells(`${columns} columns of ${rows} rows: ${columns * rows} cells, at most ${maxWireCells}`);
  }
  return columns * rows;
}

function readCells({ cells }: WireGrid, counts: Float32Array | Float64Array) {
  const bytes = typeof cells === 'string' ? bytesOf(cells) : cells;
  const fail = (at: number, what: string): never => {
    throw new MalformedCells(`cells: byte ${at}: ${what}`);
  };
  counts.fill(NaN);
  let cell = 0;
  let gap = false;
  for (let i = 0; i < bytes.length;) {
    const at = i;
    let byte = bytes[i++];
    const isGap = (byte & 1) === 0;
    // Without its lowest bit, which says what it is, a number of up to 54 bits can be told from all others.
    let n = (byte & 0x7f) >> 1;
    for (let scale = 64; byte >= 0x80; scale *= 128) {
      if (i === bytes.length) {
        fail(at, 'the last number is cut off');
      }
      byte = bytes[i++];
      n += (byte & 0x7f) * scale;
      if (n > maxHits || scale > maxHits) {
        fail(at, `a number is over ${maxHits}`);
      }
      if (byte === 0) {
        fail(at, 'a number is longer than it must be');
      }
    }
    if (n === 0) {
      fail(at, isGap ? 'a gap of no cells' : 'a cell of no hits');
    }
    if (isGap && gap) {
      fail(at, 'a gap follows a gap');
    }
    gap = isGap;
    if (isGap ? n > counts.length - cell : cell === counts.length) {
      fail(at, `more cells than ${counts.length}`);
    }
    if (isGap) {
      cell += n;
    } else {
      counts[cell++] = n;
    }
  }
  if (cell < counts.length) {
    throw new MalformedCells(`cells: there are ${cell}, must be ${counts.length}`);
  }
}

/** The six bits that each character of base64 stands for; 64 for all others. */
const sixBits = new Uint8Array(256).fill(64);
'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  .split('')
  .forEach((character, bits) => (sixBits[character.charCodeAt(0)] = bits));

/** The bytes of a text in base64 with padding, as its one spelling has them. Throws [MalformedCells]. */
export function bytesOf(text: string): Uint8Array {
  const fail = (what: string): never => {
    throw new MalformedCells(`cells: not base64: ${what}`);
  };
  if (text.length % 4 !== 0) {
    fail(`${text.length} characters, must be a multiple of 4`);
  }
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const letters = text.slice(0, text.length - padding).padEnd(text.length, 'A');
  const bytes = new Uint8Array((text.length / 4) * 3);
  let wrong = 0;
  let last = 0;
  for (let i = 0, at = 0; i < letters.length; at += 3) {
    const a = bitsAt(letters, i++);
    const b = bitsAt(letters, i++);
    const c = bitsAt(letters, i++);
    const d = bitsAt(letters, i++);
    wrong |= a | b | c | d;
    last = (a << 18) | (b << 12) | (c << 6) | d;
    bytes[at] = last >> 16;
    bytes[at + 1] = last >> 8;
    bytes[at + 2] = last;
  }
  if (wrong & 64) {
    const at = Array.from({ length: letters.length }, (_, i) => i).find((i) => bitsAt(letters, i) === 64)!;
    fail(`character ${at} is ${JSON.stringify(letters[at])}`);
  }
  if (last & ((1 << (8 * padding)) - 1)) {
    fail('its last character has bits that no byte has');
  }
  return bytes.subarray(0, bytes.length - padding);
}

function bitsAt(text: string, i: number): number {
  const code = text.charCodeAt(i);
  return code < 256 ? sixBits[code] : 64;
}
