import { type DataFrame, type Field, FieldType } from '@grafana/data';
import { countsOfWire, MalformedCells, maxWireCells, type WireGrid } from '../renderer';
import type { Bounds } from './bounds';
import { MalformedFrame, nameOf, seriesName } from './fields';
import { Enclosure, type Heat, joinCells, totalsOf } from './heat';

/** What the back end says of a compact frame in meta.custom: pkg/frames/compact.go. */
interface Custom {
  /** The stream that goes on where the frame ends; the plain frame that has it says the same. */
  stream?: string;
  compact?: Compact;
}

/** What the cells of a compact frame are. */
export interface Compact {
  version: number;
  /** In milliseconds. */
  x: { start: number; step: number; columns: number };
  /** One bound more than there are rows; null is infinity. Rows are `ordinal` where a heat's are: see [Heat]. */
  y: { unit: string; bounds: Array<number | null>; ordinal?: boolean };
  count: { cells: number; least: number; most: number };
}

const customOf = (frame: DataFrame): Custom => frame.meta?.custom ?? {};

export const isCompact = (frame: DataFrame) => customOf(frame).compact !== undefined;

export const compactOf = (frame: DataFrame): Compact => customOf(frame).compact!;

export const rowsOf = ({ y }: Compact) => Math.max(0, y.bounds.length - 1);

/** Counts that have been read, by the values of their field: frames are made anew with each packet of a stream, those are not. */
const read = new WeakMap<object, Float64Array>();

/**
 * Reads a compact frame. Its cells are left unread until somebody asks for
 * `counts`: the renderer's worker reads them by itself. Throws [MalformedFrame].
 */
export function readCompact(frame: DataFrame): Heat {
  const fail = (what: string): never => {
    throw new MalformedFrame(`${nameOf(frame)}: ${what}`);
  };
  const compact = compactOf(frame);
  const { version, x, y, count } = compact;
  if (version !== 1) {
    fail(
      `meta.custom.compact.version is ${version}, must be 1: the plugin's front end and back end are of different versions`
    );
  }
  const numbers = {
    'x.start': x?.start,
    'x.step': x?.step,
    'x.columns': x?.columns,
    'count.cells': count?.cells,
    'count.least': count?.least,
    'count.most': count?.most,
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < (name === 'x.step' ? 1 : 0)) {
      fail(`meta.custom.compact.${name} is ${value}, must be a whole number`);
    }
  }
  if (typeof y?.unit !== 'string' || !Array.isArray(y.bounds)) {
    fail('meta.custom.compact.y must have a unit, and a list of bounds');
  }
  const bounds = y.bounds.map((bound, i, all) => (bound === null && i === all.length - 1 ? Infinity : bound!));
  const wrong = bounds.findIndex((bound, i) => typeof bound !== 'number' || (i > 0 && !(bound > bounds[i - 1])));
  if (wrong >= 0) {
    fail(`meta.custom.compact.y.bounds[${wrong}] is ${bounds[wrong]}, must be a number over the one before`);
  }
  const field = frame.fields.find(({ name }) => name === 'cells');
  if (field?.type !== FieldType.string || field.values.length !== 1 || typeof field.values[0] !== 'string') {
    fail('field cells must be there, and be one text');
  }
  const cells = field as Field<string>;
  const wire: WireGrid = {
    columns: x.columns,
    rows: rowsOf(compact),
    at: Math.round(x.start / x.step),
    cells: cells.values[0],
  };
  if (wire.columns * Math.max(1, wire.rows) > maxWireCells) {
    fail(
      `${wire.columns} columns of ${wire.rows} rows: ${wire.columns * wire.rows} cells, at most ${maxWireCells} can be drawn`
    );
  }
  const from = Float64Array.from({ length: wire.columns }, (_, i) => x.start + i * x.step);
  const rows = { from: Float64Array.from(bounds.slice(0, -1)), to: Float64Array.from(bounds.slice(1)) };
  return lazyHeat(
    {
      name: seriesName(frame, cells),
      x: { from, to: from.map((start) => start + x.step) },
      y: rows,
      isOrdinal: y.ordinal === true || undefined,
      xIsTime: true,
      isGrid: false,
      wire,
      extent: count,
      xField: { name: 'xMax', type: FieldType.time, config: { interval: x.step }, values: [] },
      yField: { name: 'yMax', type: FieldType.number, config: { unit: y.unit }, values: [] },
      countField: { ...cells, name: 'count', type: FieldType.number, values: [] },
      details: [],
    },
    () => {
      let counts = read.get(cells.values);
      if (!counts) {
        try {
          counts = countsOfWire(wire);
        } catch (error) {
          counts = error instanceof MalformedCells ? fail(error.message) : fail(String(error));
        }
        read.set(cells.values, counts!);
      }
      return counts!;
    }
  );
}

/** Heat whose counts are read, and summed up, when they are first asked for. */
function lazyHeat(heat: Omit<Heat, 'counts' | 'totals'>, read: () => Float64Array): Heat {
  const columns = heat.x.from.length;
  const rows = heat.y.from.length;
  let totals: Float64Array | undefined;
  let enclosures: Int8Array | undefined;
  return Object.defineProperties(heat, {
    counts: { enumerable: true, get: read },
    totals: { enumerable: true, get: () => (totals ??= totalsOf(read(), columns, rows)) },
    enclosures: { enumerable: true, get: () => (enclosures ??= enclosuresOf(heat.y, columns)) },
  }) as Heat;
}

/** Buckets have their upper bound; the lowest also has zero, and the highest has no bound to have. */
function enclosuresOf({ from, to }: Bounds, columns: number): Int8Array {
  const column = Array.from(from, (low, row) =>
    low === 0 ? Enclosure.Closed : to[row] === Infinity ? Enclosure.Open : Enclosure.OpenLeft
  );
  return Int8Array.from({ length: columns * column.length }, (_, cell) => column[cell % column.length]);
}

/**
 * The plain frames that go on where compact ones end, by the stream they name.
 * They are no series of their own.
 */
export function streamsOf(frames: DataFrame[]): Map<string, DataFrame> {
  const awaited = new Set(frames.filter(isCompact).map((frame) => customOf(frame).stream));
  const streams = new Map<string, DataFrame>();
  for (const frame of frames) {
    const { stream } = customOf(frame);
    if (stream !== undefined && !isCompact(frame) && awaited.has(stream)) {
      streams.set(stream, frame);
    }
  }
  return streams;
}

/** The stream that a frame names. */
export const streamOf = (frame: DataFrame) => customOf(frame).stream;

/** A series and how it went on: what is said of a cell later replaces what was said before. */
export function goOn(history: Heat, rest: Heat): Heat {
  if (rest.x.from.length === 0) {
    return history;
  }
  const { x, y, counts } = joinCells([history, rest], (_, later) => later);
  const columns = x.from.length;
  return {
    ...history,
    wire: undefined,
    extent: undefined,
    x,
    y,
    counts,
    totals: totalsOf(counts, columns, y.from.length),
    enclosures: enclosuresOf(y, columns),
  };
}
