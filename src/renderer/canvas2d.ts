import { draw, repeats, type Spans } from './draw';
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
 * columns have only moved, as they do in a live picture, their pixels are
 * moved and only the others are drawn. A pixel is taken from one that showed
 * just the same cells before, so that the picture is the same as if all of it
 * were drawn.
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
      const sources = sourcesOf(shown.x, x, kept);
      const stale = staleRuns(sources);
      if (countOf(stale) < width / 2) {
        move(pixels, sources, y);
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

/** The pixel of a line before that showed the same cells as each pixel does now; -1 where none did. */
function sourcesOf(before: Spans, now: Spans, { moved, same }: Kept): Int32Array {
  const key = (first: number, last: number) => (first < 0 ? -1 : first * 2 ** 24 + last);
  const pixels = new Map<number, number>();
  before.first.forEach((first, pixel) => pixels.set(key(first, before.last[pixel]), pixel));
  // How many of the columns before each are not the same.
  const changed = new Uint32Array(same.length + 1);
  same.forEach((isSame, column) => (changed[column + 1] = changed[column] + 1 - isSame));
  return now.first.map((first, pixel) => {
    const last = now.last[pixel];
    if (first < 0) {
      return pixels.get(-1) ?? -1;
    }
    return changed[first] === changed[last + 1] ? (pixels.get(key(first + moved, last + moved)) ?? -1) : -1;
  });
}

/** The pixels of a line that have no source. */
function staleRuns(sources: Int32Array): Array<[from: number, to: number]> {
  const runs: Array<[from: number, to: number]> = [];
  sources.forEach((source, pixel) => {
    const run = runs[runs.length - 1];
    if (source >= 0) {
      return;
    }
    if (run && pixel - run[1] < leastPause) {
      run[1] = pixel + 1;
    } else {
      runs.push([pixel, pixel + 1]);
    }
  });
  return runs;
}

/** Moves the pixels of all lines from their sources. Those that have none are drawn later: whatever is there is moved. */
function move(pixels: Uint32Array, sources: Int32Array, y: Spans) {
  const width = sources.length;
  const from = sources.map((source) => Math.max(0, source));
  const line = new Uint32Array(width);
  for (let py = 0, at = 0; py < y.first.length; py++, at += width) {
    if (repeats(y, py)) {
      pixels.copyWithin(at, at - width, at);
      continue;
    }
    line.set(pixels.subarray(at, at + width));
    for (let px = 0; px < width; px++) {
      pixels[at + px] = line[from[px]];
    }
  }
}
