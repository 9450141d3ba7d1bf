/**
 * The street ends here: a grid of numbers and a colour table become pixels.
 * pkg/datasource/querydata.go, the stop before, put the numbers into frames;
 * src/panel reads them and lays them out. This file is the last of the tour.
 *
 * Numbers are turned into small tones first, and tones into pixels second:
 *
 *     values   NaN   1    3   40   ...     one number for each cell
 *     tones     0    2    3    8   ...     0: no cell; the greater, the more it is to be seen
 *     pixels   clear table[2] ...          the greatest tone of the cells that a pixel shows
 *
 * ramp.ts says what is hot, tones.ts what is to be seen. On a plain ramp that
 * is the same: a lone hot cell is seen however many cells share its pixel. It
 * works on bytes, which is what makes it fast, and gives each device pixel its
 * one colour, so that nothing is scaled or blurred later.
 */

/** A grid of cells, column by column, each from its lowest row up. */
export interface Grid {
  columns: number;
  rows: number;
  /**
   * The number of its first column, counted from wherever, 0 when not set. It
   * tells a live picture, whose grid begins later each time, where the columns
   * are that it has drawn before.
   */
  at?: number;
  /** The cell at (column, row) is `values[column * rows + row]`; NaN where there is no cell. */
  values: Float32Array<ArrayBuffer>;
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
 * Draws tones as pixels, line by line from the top. `x` has the columns that
 * each pixel of a line shows, `y` the rows that each line shows. `table` holds
 * a colour for each tone: see [toneTable]. `pixels` must hold
 * `x.first.length * y.first.length`; of each line, those from `from` to before
 * `to` are overwritten.
 */
export function draw(
  tones: Uint8Array,
  rows: number,
  x: Spans,
  y: Spans,
  table: Uint32Array,
  pixels: Uint32Array,
  from = 0,
  to = x.first.length
) {
  const { first, last } = x;
  const width = first.length;
  const [start, end] = extentOf(x, from, to);
  // The tone of each column among the rows of the line that is being drawn.
  const line = new Uint8Array(end);
  for (let py = 0; py < y.first.length; py++) {
    const at = py * width;
    const firstRow = y.first[py];
    const more = y.last[py] - firstRow;
    if (firstRow < 0) {
      pixels.fill(table[0], at + from, at + to);
      continue;
    }
    if (repeats(y, py)) {
      pixels.copyWithin(at + from, at - width + from, at - width + to);
      continue;
    }
    for (let column = start, cell = start * rows + firstRow; column < end; column++, cell += rows) {
      let strongest = tones[cell];
      for (let i = 1; i <= more; i++) {
        strongest = Math.max(strongest, tones[cell + i]);
      }
      line[column] = strongest;
    }
    for (let px = from; px < to; px++) {
      let strongest = 0;
      let column = first[px];
      if (column >= 0) {
        const end = last[px];
        strongest = line[column];
        while (++column <= end) {
          strongest = Math.max(strongest, line[column]);
        }
      }
      pixels[at + px] = table[strongest];
    }
  }
}

/** Whether a pixel shows the same cells as the one before. */
export function repeats({ first, last }: Spans, pixel: number): boolean {
  return pixel > 0 && first[pixel] === first[pixel - 1] && last[pixel] === last[pixel - 1];
}

/** The cells that the pixels from `from` to before `to` show: `[start, end)`. */
function extentOf({ first, last }: Spans, from: number, to: number): [start: number, end: number] {
  let start = Infinity;
  let end = 0;
  for (let pixel = from; pixel < to; pixel++) {
    if (first[pixel] >= 0) {
      start = Math.min(start, first[pixel]);
      end = Math.max(end, last[pixel] + 1);
    }
  }
  return [Math.min(start, end), end];
}
