import type { AbsoluteTimeRange } from '@grafana/data';
import { cellAt, type Heat, isFilled, strengthOf } from './heat';

/**
 * The cell that a key leads to: arrows go to the nearest cell with a hit in
 * their direction, Home and End to the first and the last column that is seen.
 * Without a cell to start from it is the hottest, or the greatest difference
 * that is significant. Undefined for other keys.
 */
export function move(
  heat: Heat,
  range: AbsoluteTimeRange,
  from: { column: number; row: number } | undefined,
  key: string
): { column: number; row: number } | undefined {
  if (!['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'].includes(key)) {
    return undefined;
  }
  const columns = heat.x.from.length;
  const rows = heat.y.from.length;
  const isHit = (column: number, row: number) => isFilled(heat, cellAt(heat, column, row));
  const isSeen = (column: number) => heat.x.to[column] > range.from && heat.x.from[column] < range.to;
  const strength = (cell: { column: number; row: number }) => strengthOf(heat, cellAt(heat, cell.column, cell.row));
  const hasHit = (column: number) => {
    for (let row = 0; row < rows; row++) {
      if (isHit(column, row)) {
        return true;
      }
    }
    return false;
  };
  const seen = Array.from({ length: columns }, (_, i) => i).filter((i) => isSeen(i) && hasHit(i));
  if (!from) {
    let hottest: { column: number; row: number } | undefined;
    for (const column of seen) {
      for (let row = 0; row < rows; row++) {
        if (isHit(column, row) && !(hottest && strength(hottest) >= strength({ column, row }))) {
          hottest = { column, row };
        }
      }
    }
    return hottest;
  }
  if (key === 'ArrowUp' || key === 'ArrowDown') {
    const step = key === 'ArrowUp' ? 1 : -1;
    for (let row = from.row + step; row >= 0 && row < rows; row += step) {
      if (isHit(from.column, row)) {
        return { column: from.column, row };
      }
    }
    return from;
  }
  const column = {
    ArrowLeft: seen.findLast((i) => i < from.column),
    ArrowRight: seen.find((i) => i > from.column),
    Home: seen[0],
    End: seen[seen.length - 1],
  }[key];
  if (column === undefined) {
    return from;
  }
  for (let away = 0; away < rows; away++) {
    for (const row of [from.row - away, from.row + away]) {
      if (row >= 0 && row < rows && isHit(column, row)) {
        return { column, row };
      }
    }
  }
  return from;
}
