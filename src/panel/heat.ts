import type { Field } from '@grafana/data';
import type { WireGrid } from '../renderer';
import { type Bounds, union } from './bounds';
import type { PointSeries } from './points/events';

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
  /** Whether rows are equally high where a user chooses nothing else: buckets that somebody made up, of a classic histogram. */
  isOrdinal?: boolean;
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
  /** What the cells are counts of, where they are drawn as points. */
  points?: PointSeries;
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

/** One of the goroutines of a cell. The id is text, since numbers here do not hold all of them. */
export interface GridGoroutine {
  goid: string;
  function: string;
  process: string;
  count: number;
  label?: string;
}

/** The most cells that one series may have. */
export const maxCells = 1 << 22;

/** Whether there is something to see in a cell: a hit; or a value, or a difference, which may be 0. */
export function isFilled({ counts, rowNames, difference, hides }: Heat, cell: number): boolean {
  const count = counts[cell];
  const isThere = rowNames || difference ? !Number.isNaN(count) : count > 0;
  return isThere && !(hides && (count <= (hides.upTo ?? -Infinity) || count >= (hides.from ?? Infinity)));
}

/** Whether there is something to see in any cell. */
export function isEmpty(heat: Heat): boolean {
  return heat.extent ? heat.extent.cells === 0 : !heat.counts.some((_, cell) => isFilled(heat, cell));
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

/** How much a cell stands out: by its hits; of a difference by how great it is, but any that is significant by more. */
export function strengthOf({ counts, difference }: Heat, cell: number): number {
  const size = Math.abs(counts[cell]);
  return difference?.muted[cell] ? -1 / (1 + size) : difference ? size : counts[cell];
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
