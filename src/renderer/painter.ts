import { draw, type Edges, type Grid, spansOf } from './draw';
import { type Measure, measured } from './measure';
import type { Ramp } from './ramp';
import { Toner, toneTable } from './tones';
import { gridOfWire, isWire, MalformedCells, type WireGrid } from './wire';

/** What a canvas shall show. */
export interface Picture {
  /** Absent: the grid of the picture before, with what is muted in it. */
  grid?: Grid | WireGrid;
  /** What of the cells is shown, and so what the ramp's min and max are of; the count when not set. */
  measure?: Measure;
  /** For density, one for each row: see [heightsOf]. */
  heights?: Float64Array<ArrayBuffer>;
  ramp: Ramp;
  /** A pixel for each level: see [tableOf]. */
  table: Uint32Array<ArrayBuffer>;
  /** One for each cell, in the order of the grid's values; 1: it is not significant. It comes with its grid. */
  muted?: Uint8Array<ArrayBuffer>;
  /** The pixel of cells that are muted: see [pixelOf]. Clear when not set. */
  mutedColour?: number;
  x: Edges;
  /** From the top of the canvas down. */
  y: Edges;
  /** Device pixels left clear between cells. */
  gap: number;
  /** Of the canvas, in device pixels. */
  width: number;
  height: number;
}

/** Paints pictures on one canvas, on whichever thread it lives. */
export class Painter {
  private grid: Grid = { columns: 0, rows: 0, values: new Float32Array() };
  private muted?: Uint8Array;
  private toned?: Pick<Picture, 'ramp' | 'measure' | 'heights'>;
  private toner?: Toner;
  private tones: Uint8Array = new Uint8Array();

  constructor(readonly canvas: HTMLCanvasElement | OffscreenCanvas) {}

  /** Throws [MalformedCells]: then the canvas shows what it did. */
  paint(picture: Picture) {
    this.tone(picture);
    const { width, height } = picture;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const context = this.canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null;
    if (!context || width === 0 || height === 0) {
      return;
    }
    const image = context.createImageData(width, height);
    const x = spansOf(picture.x, width, picture.gap);
    const y = spansOf(picture.y, height, picture.gap);
    const table = toneTable(picture.ramp, picture.table, picture.mutedColour);
    draw(this.tones, this.grid.rows, x, y, table, new Uint32Array(image.data.buffer));
    context.putImageData(image, 0, 0);
  }

  /** What the canvas shows, to be kept. */
  async copy(): Promise<ImageBitmap> {
    const { width, height } = this.canvas;
    if (width === 0 || height === 0) {
      throw new Error(`copy the picture: it is ${width} x ${height} pixels large`);
    }
    return createImageBitmap(this.canvas);
  }

  /** Turns the grid into tones, where the grid or what decides on them has changed. */
  private tone({ grid, muted, ramp, measure, heights }: Picture) {
    const sameRamp = this.toned !== undefined && equal(this.toned.ramp, ramp);
    if (!grid && sameRamp && this.toned?.measure === measure && equal(this.toned?.heights, heights)) {
      return;
    }
    if (grid) {
      this.grid = isWire(grid) ? gridOfWire(grid) : grid;
      this.muted = muted;
    }
    if (!this.toner || !sameRamp) {
      this.toner = new Toner(ramp);
    }
    this.toned = { ramp, measure, heights };
    this.tones = new Uint8Array(this.grid.values.length);
    this.toner.fill(this.tones, measured(this.grid, measure ?? 'count', heights), this.muted);
  }
}

/** Has a picture painted. Says why it can't be, where its cells are malformed. */
export function paint(painter: Painter | undefined, picture: Picture): string | undefined {
  try {
    painter?.paint(picture);
    return undefined;
  } catch (error) {
    if (error instanceof MalformedCells) {
      return error.message;
    }
    throw error;
  }
}

/** Whether two ramps, or two arrays of numbers, say the same. */
function equal(a: unknown, b: unknown): boolean {
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [one, other] = [a as Float64Array, b as Float64Array];
    return one.length === other.length && one.every((value, i) => value === other[i]);
  }
  if (typeof a === 'object' && typeof b === 'object' && a && b) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof typeof a>;
    return [...names].every((name) => equal(a[name], b[name]));
  }
  return Object.is(a, b);
}
