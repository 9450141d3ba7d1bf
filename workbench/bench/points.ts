/** Live points: ours, and what a page does that draws each point for itself. */
import { coloursOf, type Spray, Surface, tableOf } from '../../src/renderer';
import { Painter, type PointPicture } from '../../src/renderer/painter';
import type { InkBy } from '../../src/renderer/points/field';
import { type Ink, ScriptInk, shapeOf } from '../../src/renderer/points/ink';
import { SimdInk } from '../../src/renderer/points/simd';

const width = 1200;
const height = 400;
/** So that a point covers 9 x 9 pixels. */
const sigma = 4 / 3;
/** How long a point is seen, in milliseconds. */
const span = 1000;

interface Batch {
  x: Float64Array<ArrayBuffer>;
  y: Float64Array<ArrayBuffer>;
}

/** A way of drawing live points. */
interface PointRig {
  /** Draws points that came until `now`, beside those of before. */
  add(points: Batch, now: number): void;
  /** How many pictures were drawn. */
  pictures(): number;
}

function batchOf(n: number, from: number, to: number): Batch {
  // Skewed as durations are: most are low, and some are far up.
  const y = Float64Array.from({ length: n }, () => 1 - Math.sqrt(Math.random()));
  return { x: Float64Array.from({ length: n }, (_, i) => from + ((i + Math.random()) * (to - from)) / n), y };
}

function pictureOf({ x, y }: Batch, now: number, isNew: boolean): PointPicture {
  const spray: Spray = {
    isNew,
    added: [{ x, y, weight: new Float32Array(x.length).fill(1) }],
    dropped: 0,
    x: { from: now - span, to: now },
    y: { from: 0, to: 1 },
    sigma,
    halfLife: span / 2,
    area: 1,
  };
  return { spray, ramp: { scale: 'log', steps: 64 }, table: tableOf(coloursOf('Inferno', 64, true)), width, height };
}

/** Our renderer, in a worker. */
function makeOurs(parent: HTMLElement): PointRig {
  const surface = new Surface(parent, () => {
    throw new Error('the worker is lost');
  });
  surface.canvas.style.cssText = `width: ${width}px; height: ${height}px`;
  return {
    add: (points, now) => surface.show(pictureOf(points, now, false)),
    pictures: () => surface.paintings,
  };
}

/** A spot of ink for each point, stamped on the page's thread: how it is mostly done. */
function makeSprites(parent: HTMLElement): PointRig {
  const sprite = new OffscreenCanvas(9, 9);
  const spot = sprite.getContext('2d')!;
  const fill = spot.createRadialGradient(4.5, 4.5, 0, 4.5, 4.5, 4.5);
  fill.addColorStop(0, 'rgba(252, 165, 10, 1)');
  fill.addColorStop(1, 'rgba(252, 165, 10, 0)');
  spot.fillStyle = fill;
  spot.fillRect(0, 0, 9, 9);
  return makeDrawn(parent, (context, place, age, n) => {
    context.globalCompositeOperation = 'lighter';
    for (let i = 0; i < n; i++) {
      const [x, y] = place(i);
      context.globalAlpha = 0.5 * 2 ** (-2 * age(i));
      context.drawImage(sprite, x - 4.5, y - 4.5);
    }
  });
}

/** A circle for each point, in a Path2D for each of 16 strengths. */
function makePaths(parent: HTMLElement): PointRig {
  return makeDrawn(parent, (context, place, age, n) => {
    context.globalCompositeOperation = 'lighter';
    const paths = Array.from({ length: 16 }, () => new Path2D());
    for (let i = 0; i < n; i++) {
      const [x, y] = place(i);
      const path = paths[Math.min(15, Math.floor(16 * age(i)))];
      path.moveTo(x + 3, y);
      path.arc(x, y, 3, 0, 2 * Math.PI);
    }
    paths.forEach((path, i) => {
      context.fillStyle = `rgba(252, 165, 10, ${0.5 * 2 ** (-i / 8)})`;
      context.fill(path);
    });
  });
}

type Draw = (
  context: CanvasRenderingContext2D,
  place: (i: number) => [x: number, y: number],
  age: (i: number) => number,
  n: number
) => void;

/** Points that are kept on the page and drawn anew each time. */
function makeDrawn(parent: HTMLElement, draw: Draw): PointRig {
  const canvas = parent.ownerDocument.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  parent.append(canvas);
  const context = canvas.getContext('2d')!;
  let kept: Array<[x: number, y: number]> = [];
  let pictures = 0;
  return {
    add: ({ x, y }, now) => {
      kept = kept.filter(([at]) => at > now - span);
      x.forEach((at, i) => kept.push([at, y[i]]));
      context.globalAlpha = 1;
      context.globalCompositeOperation = 'copy';
      context.fillStyle = '#111';
      context.fillRect(0, 0, width, height);
      const age = (i: number) => (now - kept[i][0]) / span;
      draw(context, (i) => [(1 - age(i)) * width, (1 - kept[i][1]) * height], age, kept.length);
      // Until it is drawn: what is only ordered has cost nothing yet.
      context.getImageData(0, 0, 1, 1);
      pictures++;
    },
    pictures: () => pictures,
  };
}

const makers = { ours: makeOurs, sprites: makeSprites, paths: makePaths };

/** Draws `rate` points a second with each frame of the browser, for so long. Returns pictures a second. */
export async function live(way: keyof typeof makers, rate: number, milliseconds: number): Promise<number> {
  const parent = document.createElement('div');
  document.body.replaceChildren(parent);
  const rig = makers[way](parent);
  const epoch = 1.7e12;
  let last = 0;
  const frame = async () => {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    rig.add(batchOf(Math.round(((now - last) * rate) / 1000), epoch + last, epoch + now), epoch + now);
    last = now;
  };
  last = performance.now() - span;
  for (let i = 0; i < 20; i++) {
    await frame();
  }
  const start = performance.now();
  const before = rig.pictures();
  while (performance.now() - start < milliseconds) {
    await frame();
  }
  return (1000 * (rig.pictures() - before)) / (performance.now() - start);
}

/** Draws 10,000 points anew, on the page's thread, as often as it goes. Returns redraws a second. */
export function redraws(way: 'sprites' | 'paths' | InkBy, milliseconds: number): number {
  const parent = document.createElement('div');
  document.body.replaceChildren(parent);
  const sets = Array.from({ length: 4 }, (_, i) => batchOf(10_000, i * 2 * span, i * 2 * span + span));
  const canvas = new OffscreenCanvas(width, height);
  const painter = new Painter(canvas, undefined, 'canvas2d', way === 'sprites' || way === 'paths' ? undefined : way);
  const rig = way === 'sprites' || way === 'paths' ? makers[way](parent) : undefined;
  const context = canvas.getContext('2d')!;
  const draw = (i: number) => {
    const now = (i % 4) * 2 * span + span;
    if (rig) {
      rig.add({ x: sets[i % 4].x.map((x) => x - now + i * 2 * span), y: sets[i % 4].y }, i * 2 * span);
      return;
    }
    const painting = painter.paint(pictureOf(sets[i % 4], now, true));
    if (painting instanceof Promise || painting.points?.by !== way) {
      throw new Error(`ink is not added by ${way}`);
    }
    context.getImageData(0, 0, 1, 1);
  };
  draw(0);
  const start = performance.now();
  let n = 0;
  while (performance.now() - start < milliseconds) {
    draw(++n);
  }
  return (1000 * n) / (performance.now() - start);
}

/** Nanoseconds for a point, of each way of adding ink: the median of turns that they take. */
export function splats(): Record<string, number> {
  const shape = shapeOf(width, height, sigma);
  const simd = SimdInk.open(shape);
  if (!simd) {
    throw new Error('this browser has no WebAssembly with SIMD');
  }
  const inks: Array<[string, Ink]> = [
    ['js', new ScriptInk(shape)],
    ['simd', simd],
  ];
  const cellOf = () =>
    Math.floor(Math.random() * width + shape.radius) * shape.stride + Math.floor(Math.random() * height + shape.radius);
  const drops = [10_000, 100_000].map((n) => ({
    cells: Int32Array.from({ length: n }, cellOf),
    weights: new Float32Array(n).fill(1),
  }));
  const took: Record<string, number[]> = {};
  for (let turn = 0; turn < 9; turn++) {
    for (const [name, ink] of inks) {
      for (const some of drops) {
        for (const add of ['splat', 'blur'] as const) {
          const start = performance.now();
          ink[add](some);
          const n = some.cells.length;
          (took[`points_${add}_ns_${name}_${n / 1000}k`] ??= []).push(((performance.now() - start) * 1e6) / n);
        }
      }
    }
  }
  const median = Object.fromEntries(
    Object.entries(took).map(([name, all]) => [name, all.toSorted((a, b) => a - b)[all.length >> 1]])
  );
  // Where both take as long: a blur has its fixed cost, a splat none to speak of.
  const blur = median.points_blur_ns_simd_10k * 10_000;
  return { ...median, points_blur_from: blur / median.points_splat_ns_simd_10k };
}
