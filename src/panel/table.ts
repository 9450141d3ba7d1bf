import type { AbsoluteTimeRange } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { type Heat, isFilled, positionOf, strengthOf } from './heat';
import type { Options } from './options';
import { type CellWords, describe } from './words';

/** The most cells that a table lists: more would take a browser too long, and a reader too. */
export const maxListed = 500;

/** The cells of a panel as a list of words. */
export interface CellTable {
  /** What is said of each cell beside its series and where it is. */
  columns: string[];
  rows: CellWords[];
  /** How many cells could be listed. */
  cells: number;
}

/** Lists the cells that are seen, those that stand out most first; at most [maxListed] of them. */
export function tableOf(
  heats: Heat[],
  range: AbsoluteTimeRange,
  options: Pick<Options, 'xAxis' | 'yAxis'>,
  timeZone: TimeZone
): CellTable {
  let cells = 0;
  const hottest = heats.flatMap((heat) => {
    const isSeen = Array.from(heat.x.from, (from, column) => heat.x.to[column] > range.from && from < range.to);
    const seen: Array<{ heat: Heat; cell: number; strength: number }> = [];
    const { counts } = heat;
    for (let cell = 0; cell < counts.length; cell++) {
      if (isFilled(heat, cell) && isSeen[positionOf(heat, cell)[0]]) {
        seen.push({ heat, cell, strength: strengthOf(heat, cell) });
      }
    }
    cells += seen.length;
    return first(seen);
  });
  const rows = first(hottest).map(({ heat, cell }) => describe(heat, ...positionOf(heat, cell), options, timeZone));
  const columns = [...new Set(rows.flatMap(({ facts }) => facts.map(({ name }) => name)))];
  return { columns, rows, cells };
}

/** Those that stand out most; of equal ones, in the order of time. */
function first<T extends { strength: number }>(cells: T[]): T[] {
  return cells.sort((a, b) => b.strength - a.strength).slice(0, maxListed);
}
