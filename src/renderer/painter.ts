import { draw, type Edges, type Grid, levelsOf, type Ramp, spansOf } from './draw';

/** What a canvas shall show. */
export interface Picture {
  /** Absent: the grid of the picture before. */
  grid?: Grid;
  ramp: Ramp;
  /** A pixel for each level; see [tableOf]. */
  table: Uint32Array<ArrayBuffer>;
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
  private ramp?: Ramp;
  private levels: Uint8Array = new Uint8Array();

  constructor(private readonly canvas: HTMLCanvasElement | OffscreenCanvas) {}

  paint(picture: Picture) {
    const { ramp, width, height } = picture;
    const sameRamp =
      this.ramp !== undefined &&
      this.ramp.min === ramp.min &&
      this.ramp.max === ramp.max &&
      this.ramp.scale === ramp.scale &&
      this.ramp.steps === ramp.steps;
    if (picture.grid || !sameRamp) {
      this.grid = picture.grid ?? this.grid;
      this.ramp = ramp;
      this.levels = levelsOf(this.grid.values, ramp);
    }
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
    draw(this.levels, this.grid.rows, x, y, picture.table, new Uint32Array(image.data.buffer));
    context.putImageData(image, 0, 0);
  }
}
