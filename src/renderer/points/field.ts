import type { Grid } from '../draw';
import { type Drops, type Ink, ScriptInk, type Shape, shapeOf } from './ink';
import { KeptPoints } from './kept';
import { SimdInk } from './simd';
import type { Points, Spray } from './spray';
import { type GpuInk, sharedGpu } from './webgpu';

/** What made the ink of a picture. Of a live one that is what added the newest. */
export type InkBy = Ink['by'] | 'webgpu';

/** A picture of points, as cells. */
export interface Shaded {
  /** A cell for each pixel: ink for the area that was asked for; NaN where there is next to none. */
  grid: Grid;
  /** The most ink there is. */
  greatest: number;
  /** The least that is drawn. */
  faintest: number;
  by: InkBy;
}

/** The part of what a point of weight 1 leaves in its pixel that is taken for no ink. */
const faintestPart = 1 / 20;

/** After so many half-lives what was fresh is drawn anew: the numbers of newer ink would become too great. */
const mostHalfLives = 40;

/**
 * Points as ink on the pixels of a canvas. It is drawn anew only when it has
 * to be: in a live picture the ink of before is moved to the left, by whole
 * pixels, and that of new points added.
 *
 * Ink fades exactly, and without being touched: new ink is made as much
 * stronger as the old has become weaker, and all of it is weakened when it is
 * read. A point is at the middle of its pixel, so that adding squares of ink
 * and blurring counts come to the same. What would take the processor long is
 * drawn by the graphics processor, where there is one.
 */
export class Field {
  private readonly points = new KeptPoints();
  private ink?: Ink;
  private shape?: Shape;
  /** What the ink that is there was made for. */
  private view?: View;
  /** Two in turn: who has the one of before may compare. */
  private grids = [new Float32Array(), new Float32Array()];

  private gpu?: GpuInk;
  private readonly opened?: Promise<unknown>;

  /** `by` is for tests: what to add ink by, whatever this machine has. */
  constructor(private readonly by?: InkBy) {
    if (by === undefined || by === 'webgpu') {
      this.opened = sharedGpu(by === 'webgpu').then((gpu) => (this.gpu = gpu));
    }
  }

  /**
   * Draws points on a canvas of a size. Where the graphics processor does, it
   * promises to: draw nothing else until then. Throws [TooManyPoints].
   */
  draw(spray: Spray, width: number, height: number): Shaded | Promise<Shaded> {
    const change = this.points.change(spray);
    const { x, y } = spray;
    if (!(width > 0 && height > 0 && x.to > x.from && y.to !== y.from)) {
      this.view = undefined;
      return { grid: { columns: 0, rows: 0, values: new Float32Array() }, greatest: 0, faintest: 1, by: 'script' };
    }
    const before = this.view;
    const view = viewOf(spray, width, height, before);
    const { shape, ink } = this.inkFor(view, spray.sigma);
    const moved = before ? view.at - before.at : 0;
    const goesOn =
      before?.ink === ink &&
      !spray.isNew &&
      isLike(before, view) &&
      moved >= 0 &&
      moved < shape.columns &&
      !this.isAnySeen(change.dropped, before, shape);
    view.ink = ink;
    if (goesOn) {
      view.fresh = before.fresh;
      ink.field.copyWithin(0, moved * shape.stride);
      ink.field.fill(0, (shape.columns - moved) * shape.stride);
      // Of the points of before those that were too far right until now, and all new ones.
      const first = width + shape.radius - moved;
      if (columnOf(this.points.rightmost, view) >= first) {
        this.add(this.drops(shape, view, 0, change.left, first));
      }
      this.add(this.drops(shape, view, change.left, this.points.length));
    }
    this.view = view;
    const shade = (by: InkBy = ink.by) => this.shade(shape, ink, view, spray, by);
    if (goesOn) {
      return shade();
    }
    ink.field.fill(0);
    const drops = this.drops(shape, view, 0, this.points.length);
    const add = () => {
      this.add(drops);
      return shade();
    };
    if (this.by === 'webgpu') {
      return this.opened!.then(() => this.ask(drops, shape, ink, shade, add));
    }
    return isLongWork(shape, drops.cells.length) ? this.ask(drops, shape, ink, shade, add) : add();
  }

  /** Asks the graphics processor for the ink of drops, and adds it here when it cannot. */
  private ask(
    drops: Drops,
    shape: Shape,
    ink: Ink,
    shade: (by: InkBy) => Shaded,
    add: () => Shaded
  ): Shaded | Promise<Shaded> {
    return this.gpu?.isThere
      ? this.gpu.blur(drops, shape).then((made) => {
          ink.field.set(made);
          return shade('webgpu');
        }, add)
      : add();
  }

  private shade(shape: Shape, ink: Ink, view: View, { x, area }: Spray, by: InkBy): Shaded {
    const { width, height, taps, radius } = shape;
    const grid = this.grids[0].length === width * height ? this.grids[0] : new Float32Array(width * height);
    this.grids = [this.grids[1], grid];
    const faintest = faintestPart * taps[radius] ** 2 * area;
    const factor = area * strength(view.fresh, x.to, view.halfLife);
    const greatest = ink.shade(factor, faintest, grid);
    return { grid: { columns: width, rows: height, at: view.at, values: grid }, greatest, faintest, by };
  }

  private inkFor(view: View, sigma: number): { shape: Shape; ink: Ink } {
    const { shape, ink } = this;
    if (shape && ink && shape.width === view.width && shape.height === view.height && shape.sigma === sigma) {
      return { shape, ink };
    }
    const other = shapeOf(view.width, view.height, sigma);
    this.shape = other;
    this.ink = (this.by === 'script' ? undefined : SimdInk.open(other)) ?? new ScriptInk(other);
    return { shape: other, ink: this.ink };
  }

  /** Whether any of the points has left ink that may still be seen. */
  private isAnySeen({ x }: Points, view: View, { radius }: Shape): boolean {
    const from = (view.at - radius) * view.step;
    return x.some((at) => at >= from);
  }

  /** The points from number `from` to before `to` whose ink may be seen, where they are in no column before `first`. */
  private drops(shape: Shape, view: View, from: number, to: number, first = -shape.radius): Drops {
    const { width, height, radius, stride } = shape;
    const { bottom, rise, fresh, halfLife } = view;
    const { x, y, weight } = this.points.since(0);
    const cells = new Int32Array(to - from);
    const weights = new Float32Array(to - from);
    let n = 0;
    for (let i = from; i < to; i++) {
      const column = columnOf(x[i], view);
      const row = Math.floor((y[i] - bottom) / rise);
      if (column >= first && column < width + radius && row >= -radius && row < height + radius) {
        // The square begins a radius before its middle; the margin is two.
        cells[n] = (column + radius) * stride + row + radius;
        weights[n++] = halfLife === Infinity ? weight[i] : weight[i] * strength(x[i], fresh, halfLife);
      }
    }
    return { cells: cells.subarray(0, n), weights: weights.subarray(0, n) };
  }

  private add(drops: Drops) {
    const { ink, shape } = this;
    if (drops.cells.length === 0 || !ink || !shape) {
      return;
    }
    if (isBlurFaster(shape, drops.cells.length)) {
      ink.blur(drops);
    } else {
      ink.splat(drops);
    }
  }
}

/** Which part of the axes the pixels are. */
interface View {
  width: number;
  height: number;
  /** Column 0 of the canvas is number `at` of those that are `step` wide and begin at 0. */
  at: number;
  step: number;
  /** Row 0 begins here; a row is so high. */
  bottom: number;
  rise: number;
  halfLife: number;
  /** Where on the x axis ink had its own strength when it was added. */
  fresh: number;
  ink?: Ink;
}

const columnOf = (x: number, { at, step }: View) => Math.floor(x / step) - at;

function viewOf({ x, y, halfLife }: Spray, width: number, height: number, before?: View): View {
  const span = x.to - x.from;
  // Two ranges of time may differ in length by what numbers leave of a millisecond.
  const isSameStep = before?.width === width && Math.abs(before.step * width - span) < before.step / 100;
  const step = isSameStep ? before.step : span / width;
  return {
    width,
    height,
    at: Math.round(x.from / step),
    step,
    bottom: y.from,
    rise: (y.to - y.from) / height,
    halfLife: halfLife ?? Infinity,
    fresh: x.to,
  };
}

/** Whether ink that was made for one is right for the other, but for where it is. */
function isLike(before: View, { step, bottom, rise, halfLife, fresh }: View): boolean {
  return (
    before.step === step &&
    before.bottom === bottom &&
    before.rise === rise &&
    before.halfLife === halfLife &&
    Math.abs(fresh - before.fresh) < mostHalfLives * halfLife
  );
}

/** How strong ink of one place is when it is looked at from another. */
const strength = (at: number, from: number, halfLife: number) =>
  halfLife === Infinity ? 1 : 2 ** ((at - from) / halfLife);

/**
 * Whether so many drops are added faster by a blur. A splat touches a square of
 * floats for each drop, a blur two lines of them for each pixel. What each
 * takes, in the time of a float of a square, is measured: see points_blur_from
 * in docs/benchmarks.md.
 */
export function isBlurFaster(shape: Shape, drops: number): boolean {
  return drops * (side(shape) * shape.taps.length + 16) > blurCost(shape);
}

const side = ({ radius }: Shape) => 2 * radius + 1;
const blurCost = (shape: Shape) => shape.columns * shape.stride * (side(shape) + 1);

/** Whether it takes the processor more than about 8 ms to add so many drops, at some 4 floats of a square in a nanosecond. */
const isLongWork = (shape: Shape, drops: number) => blurCost(shape) + 10 * drops > 32e6;
