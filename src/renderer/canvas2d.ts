import { draw, type Spans } from './draw';
import type { Kept } from './toned';

/** All that a painter needs to know of a picture. */
export interface Layout {
  tones: Uint8Array;
  rows: number;
  /** The columns and rows that pixels show. Their number is the size of the canvas. */
  x: Spans;
  y: Spans;
  /** A pixel for each tone. */
  table: Uint32Array;
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Runs of stale pixels that are nearer to each other than this are drawn as one. */
const leastPause = 16;

/**
 * Paints pixels that the processor computes. What it painted is kept: when
 * columns have only moved, as they do in a live picture, they are moved by
 * whole pixels and only the others are drawn. A pixel is kept only where it
 * showed just the same cells before, so that the picture is the same as if all
 * of it were drawn.
 */
export class Canvas2D {
  private image?: ImageData;
  private shown?: Pick<Layout, 'x' | 'y' | 'table'>;

  /**
   * Paints on a canvas of the layout's size, and tells how many columns of
   * pixels it has drawn. `kept` says which columns of cells have the tones that
   * they had in the layout before.
   */
  paint(context: Context, layout: Layout, kept?: Kept): number {
    const { tones, rows, x, y, table } = layout;
    const width = x.first.length;
    const height = y.first.length;
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = context.createImageData(width, height);
      this.shown = undefined;
    }
    const pixels = new Uint32Array(this.image.data.buffer);
    let runs: Array<[from: number, to: number]> = [[0, width]];
    const { shown } = this;
    const isSame =
      shown && isEqual(shown.table, table) && isEqual(shown.y.first, y.first) && isEqual(shown.y.last, y.last);
    if (kept && isSame) {
      const shift = shiftOf(shown.x, x, kept);
      const stale = staleRuns(shown.x, x, kept, shift);
      if (countOf(stale) < width / 2) {
        // What comes around the edge of a line is stale.
        pixels.copyWithin(Math.max(0, -shift), Math.max(0, shift));
        runs = stale;
      }
    }
    for (const [from, to] of runs) {
      draw(tones, rows, x, y, table, pixels, from, to);
    }
    this.shown = { x, y, table };
    context.putImageData(this.image, 0, 0);
    return countOf(runs);
  }

  /** Forgets what it painted: somebody else has painted since. */
  forget() {
    this.image = undefined;
    this.shown = undefined;
  }
}

const countOf = (runs: Array<[from: number, to: number]>) => runs.reduce((sum, [from, to]) => sum + to - from, 0);

const isEqual = (a: Int32Array | Uint32Array, b: ArrayLike<number>) =>
  a.length === b.length && a.every((value: number, i: number) => value === b[i]);

/** By how many pixels most of the columns that are kept lay farther to the right before. */
function shiftOf(before: Spans, now: Spans, { moved, same }: Kept): number {
  const starts = startsOf(before);
  const votes = new Map<number, number>();
  for (const [column, start] of startsOf(now)) {
    const other = starts.get(column + moved);
    if (same[column] && other !== undefined) {
      votes.set(other - start, (votes.get(other - start) ?? 0) + 1);
    }
  }
  return [...votes].reduce((most, vote) => (vote[1] > most[1] ? vote : most), [0, 0])[0];
}

/** The pixel at which each column begins, of those that do not begin before the first. */
function startsOf({ first }: Spans): Map<number, number> {
  const starts = new Map<number, number>();
  for (let pixel = 1; pixel < first.length; pixel++) {
    if (first[pixel] >= 0 && first[pixel] !== first[pixel - 1]) {
      starts.set(first[pixel], pixel);
    }
  }
  return starts;
}

/** The pixels that do not show the cells that were shown `shift` pixels to their right. */
function staleRuns(before: Spans, now: Spans, { moved, same }: Kept, shift: number) {
  // How many of the columns before each are not the same.
  const changed = new Uint32Array(same.length + 1);
  same.forEach((isSame, column) => (changed[column + 1] = changed[column] + 1 - isSame));
  const runs: Array<[from: number, to: number]> = [];
  const width = now.first.length;
  for (let pixel = 0; pixel < width; pixel++) {
    const other = pixel + shift;
    const first = now.first[pixel];
    const last = now.last[pixel];
    const isKept =
      other >= 0 &&
      other < width &&
      (first < 0
        ? before.first[other] < 0
        : before.first[other] === first + moved &&
          before.last[other] === last + moved &&
          changed[first] === changed[last + 1]);
    if (isKept) {
      continue;
    }
    const run = runs[runs.length - 1];
    if (run && pixel - run[1] < leastPause) {
      run[1] = pixel + 1;
    } else {
      runs.push([pixel, pixel + 1]);
    }
  }
  return runs;
}
