import { type DataFrame, DataFrameType, type Field, FieldType, getFieldDisplayName } from '@grafana/data';
import type { WireGrid } from '../renderer';
import { goOn, isCompact, readCompact, streamOf, streamsOf } from './compact';

/** The cells of an axis, ascending: cell i lies between `from[i]` and `to[i]`. Ends may be infinite. */
export interface Bounds {
  from: Float64Array;
  to: Float64Array;
}

/** One series of heat: counts over time (or another number) and value; or the values of several gauges over time. */
export interface Heat {
  name: string;
  /** Of the query that it answers. A sum of several has none. */
  refId?: string;
  /** Columns; milliseconds since the epoch when `xIsTime`. */
  x: Bounds;
  /** Rows, lowest first, in the unit of `yField`. Rows that have names are one high, from 0 up. */
  y: Bounds;
  /** What the rows are, where they are no range of values: the processes of a gauge. */
  rowNames?: string[];
  xIsTime: boolean;
  /** Whether it is a goroutine grid: its columns and rows are cells, not measures. */
  isGrid: boolean;
  /**
   * The cell at (column, row) is `counts[column * rows + row]`; NaN where there
   * is no cell. They are no counts, but values in the unit of `countField`,
   * where the rows have names; and of a difference what the candidate has more
   * than the baseline. Of compact frames they are read when they are first asked
   * for: where `extent` or `wire` will do, ask for those.
   */
  counts: Float64Array;
  /** The cells as they came, which the renderer reads by itself; only of compact frames. */
  wire?: WireGrid;
  /** How many cells there is something to see in, and the least and the most in one, where a frame says it. */
  extent?: { cells: number; least: number; most: number };
  /** The sum of each column. */
  totals: Float64Array;
  /** Counts that are not to be seen: up to one, or from one on. They are in the totals all the same. */
  hides?: { upTo?: number; from?: number };
  xField: Field;
  yField: Field;
  countField: Field;
  /** Of a difference, what else there is to say of each cell. */
  difference?: DifferenceCells;
  /** How the bounds of a cell are meant: see [Enclosure]. One for each cell, where the frame says it. */
  enclosures?: Int8Array;
  /** The goroutines that a grid names, hottest first, by cell. */
  goroutines?: Map<number, GridGoroutine[]>;
  /** What else a frame says of its cells: a text for each cell that has one. */
  details: Array<{ name: string; texts: Map<number, string> }>;
}

/** The cells of a difference, in the order of its counts; NaN where there is no cell. */
export interface DifferenceCells {
  /** The p-value, adjusted for how many cells there are. */
  q: Float64Array;
  /** What the difference is between. */
  baseline: Float64Array;
  candidate: Float64Array;
  /** 1 where the difference is not significant. */
  muted: Uint8Array<ArrayBuffer>;
}

/** Which of its bounds a bucket includes, as Prometheus numbers it (`yLayout`). */
export enum Enclosure {
  /** `(from, to]` */
  OpenLeft = 0,
  /** `[from, to)` */
  OpenRight = 1,
  /** `(from, to)` */
  Open = 2,
  /** `[from, to]` */
  Closed = 3,
}

/** Frames say something that cannot be drawn as it is said. The message names the frame and the field. */
export class MalformedFrame extends Error {}

/** The most cells that one series may have. */
export const maxCells = 1 << 22;

/** Whether there is something to see in a cell: a hit; or a value, or a difference, which may be 0. */
export function isFilled({ counts, rowNames, difference, hides }: Heat, cell: number): boolean {
  const count = counts[cell];
  const isThere = rowNames || difference ? !Number.isNaN(count) : count > 0;
  return isThere && !(hides && (count <= (hides.upTo ?? -Infinity) || count >= (hides.from ?? Infinity)));
}

const sparse = ['xMax', 'yMin', 'yMax', 'count'];
const xNames = ['x', 'xMin', 'xMax'];
const yNames = ['y', 'yMin', 'yMax'];

/** Whether there is something to see in any cell. */
export function isEmpty(heat: Heat): boolean {
  return heat.extent ? heat.extent.cells === 0 : !heat.counts.some((_, cell) => isFilled(heat, cell));
}

/**
 * Reads the heat in frames: each frame of type heatmap-cells is one series.
 *
 *  - compact, as our data source gives them to this panel: see [readCompact].
 *    The plain frame of its stream goes on with it.
 *  - sparse, as Prometheus native histograms come: `xMax` (the end of a
 *    column), `yMin` and `yMax` (the bounds of a bucket), `count`, and perhaps
 *    `yLayout`. A cell that is said twice, as when a live column completes an
 *    earlier reading of it, counts as it was said last.
 *  - dense: one of `x`, `xMin`, `xMax`, one of `y`, `yMin`, `yMax`, and the
 *    first other number. Cells may be left out.
 *  - where there are both `xMin` and `xMax`, columns are what lies between them.
 *
 * A frame of type goroutine-grid is one, too: see [readGrid]; and one of type
 * heatmap-rows: see [readRows].
 *
 * `columnWidth`, in milliseconds, is used for a frame that has only one column
 * and does not say how wide it is. It throws [MalformedFrame].
 */
export function readHeats(frames: DataFrame[], columnWidth: number): Heat[] {
  const streams = streamsOf(frames);
  const readFrame = (frame: DataFrame): Heat[] => {
    const stream = streams.get(streamOf(frame) ?? '');
    if (isCompact(frame)) {
      const history = readCompact(frame);
      return [stream ? goOn(history, readHeat(stream, columnWidth)) : history];
    }
    if (stream) {
      return [];
    }
    if (isGrid(frame)) {
      return [readGrid(frame)];
    }
    if (isRows(frame)) {
      return readRows(frame, columnWidth);
    }
    return isHeat(frame) ? [readHeat(frame, columnWidth)] : [];
  };
  const heats = frames.flatMap((frame) => {
    const found = readFrame(frame);
    found.forEach((heat) => (heat.refId = frame.refId));
    return found;
  });
  if (heats.length === 0 && frames.some((frame) => frame.fields.length > 0 && !isRows(frame))) {
    const found = frames.map(
      (f) => `${nameOf(f)} has ${f.fields.map((field) => field.name).join(', ') || 'no fields'}`
    );
    throw new MalformedFrame(
      `no heatmap: ${found.join('; ')}; needed are ${sparse.join(', ')}, or the transformation "Create heatmap"`
    );
  }
  return heats;
}

/** Whether a frame is heat of any kind, and not a series or a table beside it. */
export function isHeatFrame(frame: DataFrame): boolean {
  const type = frame.meta?.type as string | undefined;
  return type === 'heat-difference' || isCompact(frame) || isGrid(frame) || isRows(frame) || isHeat(frame);
}

function isHeat(frame: DataFrame): boolean {
  return frame.meta?.type === DataFrameType.HeatmapCells || sparse.every((name) => find(frame, [name]));
}

const isRows = (frame: DataFrame) => frame.meta?.type === DataFrameType.HeatmapRows;

const isGrid = (frame: DataFrame) => (frame.meta?.type as string | undefined) === 'goroutine-grid';

export const nameOf = (frame: DataFrame) => `frame ${JSON.stringify(frame.name || frame.refId || '')}`;

const find = (frame: DataFrame, names: string[]) => frame.fields.find((field) => names.includes(field.name));

function need(frame: DataFrame, names: string[], types: FieldType[]): Field {
  const field = find(frame, names);
  if (!field) {
    throw new MalformedFrame(`${nameOf(frame)} has no field ${names.join(', ')}; it has ${listOf(frame)}`);
  }
  if (!types.includes(field.type)) {
    throw new MalformedFrame(
      `${nameOf(frame)}: field ${field.name} is of type ${field.type}, must be ${types.join(' or ')}`
    );
  }
  return field;
}

const listOf = (frame: DataFrame) => frame.fields.map((field) => field.name).join(', ') || 'none';

function readHeat(frame: DataFrame, columnWidth: number): Heat {
  const xFields = ['xMin', 'xMax'].flatMap((name) => find(frame, [name]) ?? []);
  const isBinned = xFields.length === 2;
  const xField = isBinned
    ? need(frame, ['xMin'], [FieldType.number])
    : need(frame, xNames, [FieldType.time, FieldType.number]);
  const isSparse = find(frame, ['yMin']) !== undefined && find(frame, ['yMax']) !== undefined;
  const yFields = isSparse
    ? [need(frame, ['yMin'], [FieldType.number]), need(frame, ['yMax'], [FieldType.number])]
    : [need(frame, yNames, [FieldType.number])];
  const countField = isSparse ? need(frame, ['count'], [FieldType.number]) : firstNumber(frame, [xField, ...yFields]);
  const layout = frame.fields.find((field) => field.name === 'yLayout');
  for (const field of frame.fields) {
    if (field.values.length !== xField.values.length) {
      throw new MalformedFrame(
        `${nameOf(frame)}: field ${field.name} has ${field.values.length} values, ${xField.name} has ${xField.values.length}`
      );
    }
  }

  const xs = numbers(frame, xField, isBinned);
  const ys = yFields.map((field) => numbers(frame, field, isSparse));

  const x = isBinned
    ? between(frame, 'x', xs, numbers(frame, need(frame, ['xMax'], [FieldType.number]), true))
    : positions(xs, xField.name.slice(1), Number(xField.config.interval) || 0, columnWidth);
  const y = isSparse ? between(frame, 'y', ys[0], ys[1]) : positions(ys[0], yFields[0].name.slice(1), 0, 1);

  const columns = x.bounds.from.length;
  const rows = y.bounds.from.length;
  if (columns * rows > maxCells) {
    throw new MalformedFrame(
      `${nameOf(frame)} has ${columns} columns of ${rows} rows: ${columns * rows} cells, at most ${maxCells} can be drawn`
    );
  }
  const counts = new Float64Array(columns * rows).fill(NaN);
  const enclosures = layout && new Int8Array(columns * rows);
  const details = frame.fields
    .filter((field) => field.type === FieldType.string)
    .map((field) => ({ field, name: getFieldDisplayName(field, frame), texts: new Map<number, string>() }));
  for (let i = 0; i < xs.length; i++) {
    const count = countField.values[i] as number | null | undefined;
    if (count === null || count === undefined) {
      continue;
    }
    if (!Number.isFinite(count) || count < 0) {
      throw new MalformedFrame(`${nameOf(frame)}: field ${countField.name}, row ${i}: ${count} is not a count`);
    }
    const cell = x.index[i] * rows + y.index[i];
    counts[cell] = count;
    if (enclosures) {
      enclosures[cell] = layout.values[i];
    }
    for (const { field, texts } of details) {
      if (field.values[i]) {
        texts.set(cell, field.values[i]);
      }
    }
  }
  return {
    name: seriesName(frame, countField),
    x: x.bounds,
    y: y.bounds,
    xIsTime: xField.type === FieldType.time,
    isGrid: false,
    counts,
    totals: totalsOf(counts, columns, rows),
    xField,
    yField: yFields[yFields.length - 1],
    countField,
    enclosures,
    details: details.map(({ name, texts }) => ({ name, texts })),
  };
}

/** The numbers of a field, all of which must be there. */
function numbers(frame: DataFrame, field: Field, mayBeInfinite: boolean): Float64Array {
  const values = new Float64Array(field.values.length);
  for (let i = 0; i < values.length; i++) {
    const value = field.values[i] as number;
    values[i] = value;
    if (typeof value !== 'number' || !(mayBeInfinite ? !Number.isNaN(value) : Number.isFinite(value))) {
      throw new MalformedFrame(`${nameOf(frame)}: field ${field.name}, row ${i}: ${value} is not a number`);
    }
  }
  return values;
}

/** The cells between the bounds of an axis, x or y. */
function between(frame: DataFrame, axis: string, from: Float64Array, to: Float64Array): Indexed {
  const wrong = from.findIndex((low, i) => !(low < to[i]));
  if (wrong >= 0) {
    throw new MalformedFrame(
      `${nameOf(frame)}: field ${axis}Max, row ${wrong}: ${to[wrong]} is not over ${axis}Min, which is ${from[wrong]}`
    );
  }
  return intervals(from, to);
}

/**
 * Reads gauges: a field of times, which are the ends of columns, and a field of
 * numbers for each row. A number may be 0, and null where there is none.
 */
function readRows(frame: DataFrame, columnWidth: number): Heat[] {
  const xField = frame.fields.find((field) => field.type === FieldType.time);
  const fields = frame.fields.filter((field) => field.type === FieldType.number);
  if (!xField || fields.length === 0) {
    return [];
  }
  const x = positions(numbers(frame, xField, false), 'Max', Number(xField.config.interval) || 0, columnWidth);
  const columns = x.bounds.from.length;
  const rows = fields.length;
  if (columns * rows > maxCells) {
    throw new MalformedFrame(
      `${nameOf(frame)} has ${columns} columns of ${rows} rows: ${columns * rows} cells, at most ${maxCells} can be drawn`
    );
  }
  const counts = new Float64Array(columns * rows).fill(NaN);
  fields.forEach((field, row) =>
    field.values.forEach((value: number | null | undefined, i) => {
      if (value === null || value === undefined) {
        return;
      }
      if (!Number.isFinite(value)) {
        throw new MalformedFrame(`${nameOf(frame)}: field ${field.name}, row ${i}: ${value} is not a number`);
      }
      counts[x.index[i] * rows + row] = value;
    })
  );
  const from = Float64Array.from(fields, (_, row) => row);
  return [
    {
      name: frame.name ?? '',
      x: x.bounds,
      y: { from, to: from.map((row) => row + 1) },
      rowNames: fields.map((field) => getFieldDisplayName(field, frame)),
      xIsTime: true,
      isGrid: false,
      counts,
      totals: totalsOf(counts, columns, rows),
      xField,
      yField: fields[0],
      countField: fields[0],
      details: [],
    },
  ];
}

/** What the back end says of a goroutine grid in meta.custom. */
interface GridMeta {
  side?: number;
  carried?: number;
  hits?: number;
}

/** One of the goroutines of a cell. The id is text, since numbers here do not hold all of them. */
export interface GridGoroutine {
  goid: string;
  function: string;
  process: string;
  count: number;
  label?: string;
}

/**
 * Reads the goroutine grid: `x` and `y` are cells of a square that goroutines
 * fall in by the hash of their id, `count` the hits there, and `goroutines` a
 * few of the goroutines in each cell. It is made of carried hits only: where
 * there were more, its name says how many it shows.
 */
function readGrid(frame: DataFrame): Heat {
  const x = need(frame, ['x'], [FieldType.number]);
  const y = need(frame, ['y'], [FieldType.number]);
  const countField = need(frame, ['count'], [FieldType.number]);
  const { side, carried, hits }: GridMeta = frame.meta?.custom ?? {};
  if (side !== 256 && side !== 512 && side !== 1024) {
    throw new MalformedFrame(`${nameOf(frame)}: meta.custom.side is ${side}, must be 256, 512 or 1024`);
  }
  const from = Float64Array.from({ length: side }, (_, i) => i);
  const bounds = { from, to: from.map((value) => value + 1) };
  const counts = new Float64Array(side * side).fill(NaN);
  const hottest = new Map<number, string>();
  const goroutines = new Map<number, GridGoroutine[]>();
  const goroutineField = frame.fields.find((field) => field.name === 'goroutines');
  for (let i = 0; i < frame.length; i++) {
    for (const field of [x, y]) {
      const at = field.values[i];
      if (!(Number.isInteger(at) && at >= 0 && at < side)) {
        throw new MalformedFrame(
          `${nameOf(frame)}: field ${field.name}, row ${i}: ${at} is not a cell of 0 to ${side - 1}`
        );
      }
    }
    const count = countField.values[i];
    if (!Number.isFinite(count) || count < 0) {
      throw new MalformedFrame(`${nameOf(frame)}: field count, row ${i}: ${count} is not a count`);
    }
    const cell = x.values[i] * side + y.values[i];
    counts[cell] = count;
    const named = (goroutineField?.values[i] ?? []) as GridGoroutine[];
    goroutines.set(cell, named);
    hottest.set(
      cell,
      named.map((g) => `goroutine ${[g.goid, g.function, g.label].filter(Boolean).join(' ')}: ${g.count}`).join('\n')
    );
  }
  const part = hits !== undefined && carried !== undefined && carried < hits ? `, ${carried} of ${hits} hits` : '';
  return {
    name: `${frame.name ?? 'goroutines'}${part}`,
    x: bounds,
    y: bounds,
    xIsTime: false,
    isGrid: true,
    counts,
    totals: totalsOf(counts, side, side),
    xField: x,
    yField: y,
    countField,
    goroutines,
    details: [{ name: 'Hottest', texts: hottest }],
  };
}

function firstNumber(frame: DataFrame, others: Field[]): Field {
  const field = frame.fields.find((f) => f.type === FieldType.number && !others.includes(f));
  if (!field) {
    throw new MalformedFrame(`${nameOf(frame)} has no number field beside ${listOf({ ...frame, fields: others })}`);
  }
  return field;
}

/** A series is named by its display name, else its frame, else its labels. One that all of them leave blank is not nameless. */
export function seriesName(frame: DataFrame, countField: Field): string {
  const labels = Object.entries(countField.labels ?? {}).map(([name, value]) => `${name}=${value || '(none)'}`);
  return countField.config.displayNameFromDS || countField.config.displayName || frame.name || labels.join(', ');
}

/** Bounds, and for each value that they were made of the number of its cell. */
interface Indexed {
  bounds: Bounds;
  index: Int32Array;
}

/** Cells that are said by one position each. `width` 0 means: as far as the nearest neighbour. */
function positions(values: Float64Array, meaning: string, width: number, otherwise: number): Indexed {
  const distinct = Float64Array.from(new Set(values)).sort();
  const at = new Map<number, number>();
  distinct.forEach((value, i) => at.set(value, i));
  const index = Int32Array.from(values, (value) => at.get(value)!);
  if (width === 0) {
    width = Infinity;
    for (let i = 1; i < distinct.length; i++) {
      width = Math.min(width, distinct[i] - distinct[i - 1]);
    }
    width = Number.isFinite(width) ? width : otherwise;
  }
  const before = { Max: width, Min: 0 }[meaning] ?? width / 2;
  const from = distinct.map((value) => value - before);
  return { bounds: { from, to: from.map((value) => value + width) }, index };
}

/** Cells that are said by both their bounds. */
function intervals(from: Float64Array, to: Float64Array): Indexed {
  const seen = new Map<number, Map<number, number>>();
  const distinct: Array<{ from: number; to: number }> = [];
  const found = new Int32Array(from.length);
  for (let i = 0; i < from.length; i++) {
    let ends = seen.get(from[i]);
    if (!ends) {
      seen.set(from[i], (ends = new Map()));
    }
    let cell = ends.get(to[i]);
    if (cell === undefined) {
      ends.set(to[i], (cell = distinct.push({ from: from[i], to: to[i] }) - 1));
    }
    found[i] = cell;
  }
  const order = distinct
    .map((_, i) => i)
    .sort((a, b) => distinct[a].from - distinct[b].from || distinct[a].to - distinct[b].to);
  const rank = new Int32Array(order.length);
  order.forEach((cell, i) => (rank[cell] = i));
  return {
    bounds: {
      from: Float64Array.from(order, (cell) => distinct[cell].from),
      to: Float64Array.from(order, (cell) => distinct[cell].to),
    },
    index: found.map((cell) => rank[cell]),
  };
}

export function totalsOf(counts: Float64Array, columns: number, rows: number): Float64Array {
  const totals = new Float64Array(columns);
  counts.forEach((count, cell) => {
    if (!Number.isNaN(count)) {
      totals[Math.floor(cell / rows)] += count;
    }
  });
  return totals;
}

/** Adds series up: buckets never move, so counts of the same cell are added. */
export function sumHeats(heats: Heat[], name: string): Heat {
  if (heats.length === 1) {
    return heats[0];
  }
  const { x, y, counts, index } = joinCells(heats, (count, more) => count + more);
  const columns = x.from.length;
  const rows = y.from.length;
  const enclosures = heats.every((heat) => heat.enclosures) ? new Int8Array(columns * rows) : undefined;
  if (enclosures) {
    heats.forEach((heat, i) =>
      heat.counts.forEach((count, cell) => {
        if (!Number.isNaN(count)) {
          enclosures[index(i, cell)] = heat.enclosures![cell];
        }
      })
    );
  }
  return {
    ...heats[0],
    name,
    refId: heats.every(({ refId }) => refId === heats[0].refId) ? heats[0].refId : undefined,
    wire: undefined,
    extent: undefined,
    x,
    y,
    counts,
    totals: totalsOf(counts, columns, rows),
    enclosures,
    // What series are told apart by is not of their sum.
    countField: { ...heats[0].countField, labels: undefined },
    details: [],
  };
}

/** The cells of several series on the same axes; `both` says what is in a cell of two of them. */
export function joinCells(heats: Heat[], both: (before: number, later: number) => number) {
  const x = union(heats.map((heat) => heat.x));
  const y = union(heats.map((heat) => heat.y));
  const rows = y.bounds.from.length;
  const counts = new Float64Array(x.bounds.from.length * rows).fill(NaN);
  const index = (i: number, cell: number) => {
    const [column, row] = positionOf(heats[i], cell);
    return x.index[i][column] * rows + y.index[i][row];
  };
  heats.forEach((heat, i) =>
    heat.counts.forEach((count, cell) => {
      if (!Number.isNaN(count)) {
        const to = index(i, cell);
        counts[to] = Number.isNaN(counts[to]) ? count : both(counts[to], count);
      }
    })
  );
  return { x: x.bounds, y: y.bounds, counts, index };
}

/** The cells of several axes on one, and where each cell of each came to lie. */
function union(all: Bounds[]): { bounds: Bounds; index: Int32Array[] } {
  const join = (pick: (bounds: Bounds) => Float64Array) => Float64Array.from(all.flatMap((b) => Array.from(pick(b))));
  const { bounds, index } = intervals(
    join((b) => b.from),
    join((b) => b.to)
  );
  let at = 0;
  return { bounds, index: all.map((b) => index.subarray(at, (at += b.from.length))) };
}

/** The column and row of a cell. */
export function positionOf(heat: Heat, cell: number): [column: number, row: number] {
  const rows = heat.y.from.length;
  const column = Math.floor(cell / rows);
  return [column, cell - column * rows];
}

/** The number of the cell at a column and row. */
export function cellAt(heat: Heat, column: number, row: number): number {
  return column * heat.y.from.length + row;
}
