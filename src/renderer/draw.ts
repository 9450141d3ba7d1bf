/**
 * The street ends here: a grid of numbers and a colour table become pixels.
 * pkg/datasource/querydata.go, the stop before, put the numbers into frames;
 * src/panel reads them and lays them out. This file is the last of the tour.
 *
 * Numbers are turned into small levels first, and levels into pixels second:
 *
 *     values   NaN   1    3   40   ...     one number for each cell
 *     levels    0    1    2    7   ...     0: no cell; 1 to steps: cold to hot
 *     pixels   clear table[1] ...          the hottest cell that a pixel shows
 *
 * Levels rise with values, so the hottest of the cells in a pixel is the one
 * with the greatest level: a lone hot cell is seen however many cells share
 * its pixel. It works on bytes, which is what makes it fast, and gives each
 * device pixel its one colour, so that nothing is scaled or blurred later.
 */

/** A grid of cells, column by column, each from its lowest row up. */
export interface Grid {
  columns: number;
  rows: number;
  /** The cell at (column, row) is `values[column * rows + row]`; NaN where there is no cell. */
  values: Float32Array<ArrayBuffer>;
}

/** How a value becomes a level. */
export interface Ramp {
  /** Values up to here are the coldest. Over zero when `scale` is log. */
  min: number;
  /** Values from here on are the hottest. */
  max: number;
  scale: 'linear' | 'log';
  /** How many levels there are beside "no cell": 1 to 255. */
  steps: number;
}

/** Where the cells of one axis lie, in device pixels: cell i covers `[from[i], to[i])`. */
export interface Edges {
  from: Float32Array<ArrayBuffer>;
  to: Float32Array<ArrayBuffer>;
}

/** Which cells each pixel of one axis shows: first to last, both included; -1 where it shows none. */
export interface Spans {
  first: Int32Array;
  last: Int32Array;
}

/** Tells where values lie in the ramp: 0 at its min, 1 at its max, and never outside. */
export function heatOn(ramp: Ramp): (value: number) => number {
  const { min, max, scale } = ramp;
  if (!(max > min)) {
    // With nothing between them, what reaches the max is hot.
    return (value) => (value >= max ? 1 : 0);
  }
  if (scale === 'log') {
    const low = Math.log(min);
    const range = Math.log(max) - low;
    return (value) => (value <= min ? 0 : value >= max ? 1 : (Math.log(value) - low) / range);
  }
  return (value) => (value <= min ? 0 : value >= max ? 1 : (value - min) / (max - min));
}

/** The level of each value: 0 for NaN, else 1 (coldest) to `ramp.steps` (hottest). */
export function levelsOf(values: Float32Array, ramp: Ramp): Uint8Array {
  const heat = heatOn(ramp);
  const levels = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isNaN(value)) {
      levels[i] = 1 + Math.min(ramp.steps - 1, Math.floor(heat(value) * ramp.steps));
    }
  }
  return levels;
}

/**
 * Lays cells on `pixels` pixels. Edges fall on whole pixels. A cell that is
 * visible at all has at least one pixel, and shares it when it must. `gap`
 * pixels are left clear at the far end of cells that have room for it.
 */
export function spansOf(edges: Edges, pixels: number, gap = 0): Spans {
  const first = new Int32Array(pixels).fill(-1);
  const last = new Int32Array(pixels).fill(-1);
  for (let cell = 0; cell < edges.from.length; cell++) {
    if (!(edges.from[cell] < pixels && edges.to[cell] > 0)) {
      continue;
    }
    let start = Math.max(0, Math.round(edges.from[cell]));
    let end = Math.min(pixels, Math.round(edges.to[cell]));
    if (end - start > 2 * gap) {
      end -= gap;
    } else if (end <= start) {
      // Less than a pixel: it is in the pixel of its middle.
      start = Math.min(pixels - 1, Math.max(0, Math.floor((edges.from[cell] + edges.to[cell]) / 2)));
      end = start + 1;
    }
    for (let pixel = start; pixel < end; pixel++) {
      first[pixel] = first[pixel] < 0 ? cell : Math.min(first[pixel], cell);
      last[pixel] = Math.max(last[pixel], cell);
    }
  }
  return { first, last };
}

/**
 * Draws levels as pixels, line by line from the top. `x` has the columns that
 * each pixel of a line shows, `y` the rows that each line shows. `table` holds
 * a colour for each level, [0] being what is drawn where there is no cell.
 * `pixels` is overwritten; it must hold `x.first.length * y.first.length`.
 */
export function draw(levels: Uint8Array, rows: number, x: Spans, y: Spans, table: Uint32Array, pixels: Uint32Array) {
  const width = x.first.length;
  const columns = rows === 0 ? 0 : levels.length / rows;
  // The level of each column among the rows of the line that is being drawn.
  const line = new Uint8Array(columns);
  for (let py = 0; py < y.first.length; py++) {
    const at = py * width;
    const firstRow = y.first[py];
    const lastRow = y.last[py];
    if (firstRow < 0) {
      pixels.fill(table[0], at, at + width);
      continue;
    }
    if (py > 0 && firstRow === y.first[py - 1] && lastRow === y.last[py - 1]) {
      pixels.copyWithin(at, at - width, at);
      continue;
    }
    for (let column = 0, cell = firstRow; column < columns; column++, cell += rows) {
      let hottest = levels[cell];
      for (let i = 1; i <= lastRow - firstRow; i++) {
        if (levels[cell + i] > hottest) {
          hottest = levels[cell + i];
        }
      }
      line[column] = hottest;
    }
    for (let px = 0; px < width; px++) {
      let hottest = 0;
      if (x.first[px] >= 0) {
        for (let column = x.first[px]; column <= x.last[px]; column++) {
          if (line[column] > hottest) {
            hottest = line[column];
          }
        }
      }
      pixels[at + px] = table[hottest];
    }
  }
}
