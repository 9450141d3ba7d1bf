import type { Grid } from './draw';
import { type Measure, measured } from './measure';
import { ranksOf } from './ramp';
import { gridOfWire, isWire, type WireGrid } from './wire';

/** What a ramp has to know of all the values that share it. */
export interface Summary {
  /** The least over 0; infinity where there is none. */
  least: number;
  /** The least of them and 0, and the greatest of them and 0. */
  lowest: number;
  greatest: number;
  /** For a ramp of scale rank: see [ranksOf]. */
  ranks?: Float32Array<ArrayBuffer>;
}

/** Values to be summed up. */
export interface Values {
  /** With the heights of its rows, where density is shown: see [heightsOf]. */
  grids: Array<{ grid: Grid | WireGrid; heights?: Float64Array<ArrayBuffer> }>;
  measure: Measure;
  /** Whether ranks are wanted. */
  ranked: boolean;
}

/** Sums up what a measure shows of grids. Throws [MalformedCells]. */
export function summaryOf({ grids, measure, ranked }: Values): Summary {
  const summary: Summary = { least: Infinity, lowest: 0, greatest: 0 };
  const all = grids.map(({ grid, heights }) => measured(isWire(grid) ? gridOfWire(grid) : grid, measure, heights));
  for (const values of all) {
    see(summary, values);
  }
  return ranked ? { ...summary, ranks: ranksOf(all) } : summary;
}

/** Takes values into a summary; NaN is none. */
export function see(summary: Summary, values: Float32Array | Float64Array) {
  let { least, lowest, greatest } = summary;
  for (let cell = 0; cell < values.length; cell++) {
    const value = values[cell];
    least = value > 0 && value < least ? value : least;
    lowest = value < lowest ? value : lowest;
    greatest = value > greatest ? value : greatest;
  }
  Object.assign(summary, { least, lowest, greatest });
}
