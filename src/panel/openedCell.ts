import type { AbsoluteTimeRange, Labels } from '@grafana/data';
import { cellAt, type Heat } from './heat';

/** The cell that a user wants to see the inside of, as far as the frame of its series says it. */
export interface OpenedCell {
  /** Of the query that its series answers; a sum of several queries has none. */
  refId?: string;
  series: string;
  /** Of its series: which node, reason or process. */
  labels: Labels;
  /** What its column covers: times in milliseconds; undefined where columns are bins. */
  times?: AbsoluteTimeRange;
  /** The bounds of its bucket, in the unit of the Y axis; undefined where rows have names. Ends may be infinite. */
  values?: { from: number; to: number };
  /** The name of its row, where rows have names. */
  row?: string;
  count: number;
}

/** Says of a cell what it takes to ask for what is in it. */
export function openedCell(heat: Heat, column: number, row: number): OpenedCell {
  const { x, y, refId, name, rowNames, xIsTime, counts, countField } = heat;
  return {
    refId,
    series: name,
    labels: countField.labels ?? {},
    times: xIsTime ? { from: x.from[column], to: x.to[column] } : undefined,
    values: rowNames ? undefined : { from: y.from[row], to: y.to[row] },
    row: rowNames?.[row],
    count: counts[cellAt(heat, column, row)],
  };
}
