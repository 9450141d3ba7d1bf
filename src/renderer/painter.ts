import { Canvas2D, type Layout } from './canvas2d';
import { type Edges, type Grid, spansOf } from './draw';
import { Field, type InkBy, type Shaded } from './points/field';
import { TooManyPoints } from './points/kept';
import { type ClosedRamp, type OpenRamp, rampOn } from './points/ramp';
import type { Spray } from './points/spray';
import { type Kept, type Tinge, TonedGrid } from './toned';
import { toneTable } from './tones';
import { sharedWebGL2, type WebGL2 } from './webgl2';
import { gridOfWire, isWire, MalformedCells, type WireGrid } from './wire';

/** What a canvas shall show. */
export interface Picture extends Tinge {
  /** Absent: the grid of the picture before, with what is muted in it. */
  grid?: Grid | WireGrid;
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

/** Points that a canvas shall show, as ink. */
export interface PointPicture {
  spray: Spray;
  /** Of how much ink there is. Its ends are known when it has been painted, where they are left open. */
  ramp: OpenRamp;
  /** A pixel for each level: see [tableOf]. */
  table: Uint32Array<ArrayBuffer>;
  /** Of the canvas, in device pixels. */
  width: number;
  height: number;
}

/** What pixels are computed by. */
export type By = 'canvas2d' | 'webgl2';

/** How a picture was painted. */
export interface Painting {
  by: By;
  /** How many columns of pixels were drawn: the others had only moved. */
  drawn: number;
  /** Of points: how they were coloured, and what their ink was added by. */
  points?: ClosedRamp & { by: InkBy };
  /** Why the picture's cells can't be read, or its points kept: the one before is still there. */
  problem?: string;
}

/**
 * Paints pictures on one canvas, on whichever thread it lives: by WebGL2 where
 * there is a graphics processor, else by Canvas2D. Both give the same pixels.
 */
export class Painter {
  private readonly toned = new TonedGrid();
  private readonly canvas2D = new Canvas2D();
  private field?: Field;
  private reached?: number;
  private awaited?: Promise<Painting>;
  private webGL2?: WebGL2;
  private layout?: Layout;
  private stopListening = () => {};

  /**
   * `onRepaint` is called when the picture was painted again without being
   * asked for, because what it was painted by was lost. `by` and `inkBy` are for tests: what
   * to paint and to add ink by, whatever this machine has.
   */
  constructor(
    private readonly canvas: HTMLCanvasElement | OffscreenCanvas,
    private readonly onRepaint: (painting: Painting) => void = () => {},
    private readonly by?: By,
    private readonly inkBy?: InkBy
  ) {
    canvas.addEventListener('contextrestored', this.repaint);
  }

  /** Points may take a while: paint nothing else until then. */
  paint(picture: Picture): Painting;
  paint(picture: Picture | PointPicture): Painting | Promise<Painting>;
  paint(picture: Picture | PointPicture): Painting | Promise<Painting> {
    return 'spray' in picture ? this.paintPoints(picture) : this.paintCells(picture);
  }

  private paintPoints(picture: PointPicture): Painting | Promise<Painting> {
    const { spray, width, height } = picture;
    this.field ??= new Field(this.inkBy);
    try {
      const shaded = this.field.draw(spray, width, height);
      if (shaded instanceof Promise) {
        const painting = shaded.then((ink) => this.paintInk(ink, picture));
        this.awaited = painting;
        return painting;
      }
      return this.paintInk(shaded, picture);
    } catch (error) {
      if (error instanceof TooManyPoints) {
        return { by: 'canvas2d', drawn: 0, problem: error.message };
      }
      throw error;
    }
  }

  private paintInk(shaded: Shaded, { ramp: open, table, width, height }: PointPicture): Painting {
    const { ramp, own } = rampOn(open, shaded, this.reached);
    this.reached = own;
    const [x, y] = [pixelEdges(shaded.grid.columns), pixelEdges(shaded.grid.rows)];
    const picture = { grid: shaded.grid, ramp, table, x, y: { from: y.from.toReversed(), to: y.to.toReversed() } };
    return { ...this.paintCells({ ...picture, gap: 0, width, height }), points: { ramp, own, by: shaded.by } };
  }

  private paintCells(picture: Picture): Painting {
    const { ramp, table, mutedColour, gap, width, height } = picture;
    let grid: Grid | undefined;
    try {
      grid = picture.grid && isWire(picture.grid) ? gridOfWire(picture.grid) : picture.grid;
    } catch (error) {
      if (error instanceof MalformedCells) {
        return { by: 'canvas2d', drawn: 0, problem: error.message };
      }
      throw error;
    }
    const kept = this.toned.take(grid, picture.muted, picture);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.layout = {
      tones: this.toned.tones,
      rows: this.toned.grid.rows,
      x: spansOf(picture.x, width, gap),
      y: spansOf(picture.y, height, gap),
      table: toneTable(ramp, table, mutedColour),
    };
    return this.put(this.layout, kept);
  }

  /** What the canvas shows, to be kept. */
  async copy(): Promise<ImageBitmap> {
    await this.awaited;
    const { width, height } = this.canvas;
    if (width === 0 || height === 0) {
      throw new Error(`copy the picture: it is ${width} x ${height} pixels large`);
    }
    return createImageBitmap(this.canvas);
  }

  close() {
    this.canvas.removeEventListener('contextrestored', this.repaint);
    this.stopListening();
    this.layout = undefined;
  }

  private readonly repaint = () => {
    if (this.layout) {
      this.onRepaint(this.put(this.layout));
    }
  };

  private put(layout: Layout, kept?: Kept): Painting {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null;
    if (!context || width === 0 || height === 0) {
      this.canvas2D.forget();
      return { by: 'canvas2d', drawn: 0 };
    }
    if (this.byWebGL2()?.paint(context, layout)) {
      this.canvas2D.forget();
      return { by: 'webgl2', drawn: width };
    }
    return { by: 'canvas2d', drawn: this.canvas2D.paint(context, layout, kept) };
  }

  private byWebGL2(): WebGL2 | undefined {
    const found = this.by === 'canvas2d' ? undefined : sharedWebGL2(this.by === 'webgl2');
    if (found !== this.webGL2) {
      this.stopListening();
      this.stopListening = found?.onLost(this.repaint) ?? (() => {});
      this.webGL2 = found;
    }
    return found;
  }
}

/** Cells that are a pixel each. */
const pixelEdges = (pixels: number): Edges => {
  const from = Float32Array.from({ length: pixels }, (_, i) => i);
  return { from, to: from.map((edge) => edge + 1) };
};
