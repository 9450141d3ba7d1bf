import type { AbsoluteTimeRange, Labels } from '@grafana/data';
import { cellAt, type GridGoroutine, type Heat } from './heat';
import type { CellWords } from './words';

/** The cell that a user wants to see the inside of, as far as the frame of its series says it. */
export interface OpenedCell {
  /** Of the query that its series answers; a sum of several queries has none. */
  refId?: string;
  series: string;
  /** Of its series: which node, reason or process. */
  labels: Labels;
  /** What its column covers: times in milliseconds; undefined where columns are bins. */
  times?: AbsoluteTimeRange;
  /** What its column covers where columns are bins, in the unit of the X axis. Ends may be infinite. */
  bin?: { from: number; to: number };
  /** The bounds of its bucket, in the unit of the Y axis; undefined where rows have names. Ends may be infinite. */
  values?: { from: number; to: number };
  /** The name of its row, where rows have names. */
  row?: string;
  count: number;
  /** Of a goroutine grid, those that it names. */
  goroutines?: GridGoroutine[];
  /** What there is to say of it. */
  words: CellWords;
}

/** Says of a cell what it takes to ask for what is in it. */
export function openedCell(heat: Heat, column: number, row: number, words: CellWords): OpenedCell {
  const { x, y, refId, name, rowNames, xIsTime, isGrid, counts, countField, goroutines } = heat;
  const across = { from: x.from[column], to: x.to[column] };
  const cell = cellAt(heat, column, row);
  return {
    refId,
    series: name,
    labels: countField.labels ?? {},
    times: xIsTime ? across : undefined,
    bin: xIsTime || isGrid ? undefined : across,
    values: rowNames || isGrid ? undefined : { from: y.from[row], to: y.to[row] },
    row: rowNames?.[row],
    count: counts[cell],
    goroutines: goroutines && (goroutines.get(cell) ?? []),
    words,
  };
}
