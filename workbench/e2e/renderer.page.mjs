// What the renderer's tests do in the page. It is bundled for them, with the renderer.
import { coloursOf, pixelOf, tableOf } from '../../src/renderer/colours.ts';
import { measured } from '../../src/renderer/measure.ts';
import { Painter } from '../../src/renderer/painter.ts';
import { blurProgram } from '../../src/renderer/points/blur.wgsl.ts';
import { shapeOf } from '../../src/renderer/points/ink.ts';
import { SimdInk } from '../../src/renderer/points/simd.ts';
import { sharedGpu } from '../../src/renderer/points/webgpu.ts';
import { ranksOf } from '../../src/renderer/ramp.ts';
import { Surface } from '../../src/renderer/surface.ts';

/** Where cells of one size lie. */
function evenly(cells, pixels) {
  const edge = (i) => (i * pixels) / cells;
  return {
    from: Float32Array.from({ length: cells }, (_, i) => edge(i)),
    to: Float32Array.from({ length: cells }, (_, i) => edge(i + 1)),
  };
}

const upwards = ({ from, to }) => ({ from: from.toReversed(), to: to.toReversed() });

/** A picture of values, column by column, whose cells share the canvas evenly. */
function pictureOf({ columns, rows, values, width, height, steps = 16, ...more }) {
  return {
    grid: { columns, rows, values: Float32Array.from(values) },
    ramp: { min: 1, max: 16, scale: 'linear', steps },
    table: tableOf(coloursOf('Inferno', steps, true)),
    x: evenly(columns, width),
    y: upwards(evenly(rows, height)),
    gap: 0,
    width,
    height,
    ...more,
  };
}

/** The same numbers between 0 and 1 each time. */
function makeChance(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The pixels of a canvas or a bitmap, a number each. */
function pixelsOf(source) {
  const context = new OffscreenCanvas(source.width, source.height).getContext('2d');
  context.drawImage(source, 0, 0);
  return new Uint32Array(context.getImageData(0, 0, source.width, source.height).data.buffer);
}

/** How many pixels of two pictures differ by more than `steps` in any of their channels; all, where their sizes do. */
function differing(a, b, steps = 0) {
  const [one, other] = [a, b].map((source) => new Uint8Array(pixelsOf(source).buffer));
  if (one.length !== other.length) {
    return Math.max(one.length, other.length);
  }
  let pixels = 0;
  for (let i = 0; i < one.length; i += 4) {
    pixels += [0, 1, 2, 3].some((channel) => Math.abs(one[i + channel] - other[i + channel]) > steps) ? 1 : 0;
  }
  return pixels;
}

/** What is seen when a picture is painted on a new canvas. */
function painted(picture, by) {
  const canvas = new OffscreenCanvas(1, 1);
  const painter = new Painter(canvas, () => {}, by);
  const painting = painter.paint(picture);
  return { canvas, painter, painting };
}

/** Shows pictures of one, three and again one column, faster than they can be painted, and copies what is there. */
export async function copyOfLast() {
  const surface = new Surface(document.body, () => {});
  for (const value of [3, 5, 7]) {
    surface.show(pictureOf({ columns: 2, rows: 1, values: [value, value + 9], width: 4, height: 2 }));
  }
  const copy = pixelsOf(await surface.pixels());
  const { table } = pictureOf({ columns: 1, rows: 1, values: [1], width: 1, height: 1 });
  return { ...surface.canvas.dataset, levels: Array.from(copy, (pixel) => table.indexOf(pixel)) };
}

/** Why copies are refused. */
export function copiesOfNothing() {
  const flat = new Surface(document.body, () => {});
  flat.show(pictureOf({ columns: 1, rows: 1, values: [1], width: 0, height: 2 }));
  const left = new Surface(document.body, () => {});
  const asked = left.pixels();
  left.close();
  return Promise.all([flat.pixels(), asked, left.pixels()].map((copy) => copy.catch((error) => error.message)));
}

/**
 * A live picture that goes by while all that may change about it does, now and
 * then. Of each painting: how much was drawn, and how many pixels are not what
 * they are where it is painted anew.
 */
export function live({ seed, paintings, columns, rows, width, height, columnsPerPainting, calm }) {
  const chance = makeChance(seed);
  const value = () => (chance() < 0.3 ? NaN : 1 + Math.floor(15 * chance()));
  const cells = new Map();
  const canvas = new OffscreenCanvas(1, 1);
  const painter = new Painter(canvas, () => {}, 'canvas2d');
  const shown = { width, height, gap: 0, max: 16, scheme: 'Inferno', measure: 'count', isMuted: false };
  const heights = Float64Array.from({ length: rows }, (_, row) => 1 + row / 10);
  const changes = [
    () => (shown.width = width - Math.floor(chance() * 50)),
    () => (shown.height = height - Math.floor(chance() * 20)),
    () => (shown.gap = Math.floor(chance() * 3)),
    () => (shown.max = 8 + Math.floor(chance() * 9)),
    () => (shown.scheme = shown.scheme === 'Inferno' ? 'Viridis' : 'Inferno'),
    () => (shown.measure = ['count', 'share', 'density'][Math.floor(chance() * 3)]),
    () => (shown.isMuted = !shown.isMuted),
  ];
  const result = [];
  for (let painting = 0, end = columns; painting < paintings; painting++) {
    end += columnsPerPainting;
    // Sometimes the window goes back, or the grid begins elsewhere than it.
    const back = !calm && chance() < 0.1 ? Math.floor(chance() * columns) : 0;
    const at = end - columns - back;
    // The newest columns may still grow.
    for (let column = at; column < at + columns; column++) {
      if (!cells.has(column) || column >= end - 2) {
        cells.set(column, {
          values: Array.from({ length: rows }, value),
          muted: Array.from({ length: rows }, () => (chance() < 0.3 ? 1 : 0)),
        });
      }
    }
    if (!calm && chance() < 0.3) {
      changes[Math.floor(chance() * changes.length)]();
    }
    const part = (name) => Array.from({ length: columns }, (_, i) => cells.get(at + i)[name]).flat();
    const x = evenly(columns, shown.width);
    const aside = calm ? 0 : Math.floor(chance() * 3) - 1;
    const picture = () => ({
      ...pictureOf({ columns, rows, values: part('values'), ...shown }),
      grid: { columns, rows, at, values: Float32Array.from(part('values')) },
      muted: shown.isMuted ? Uint8Array.from(part('muted')) : undefined,
      mutedColour: pixelOf('#888888'),
      ramp: {
        min: shown.measure === 'share' ? 0.01 : 1,
        max: shown.measure === 'share' ? 0.2 : shown.max,
        scale: 'log',
        steps: 16,
      },
      table: tableOf(coloursOf(shown.scheme, 16, true)),
      heights,
      x: { from: x.from.map((edge) => edge + 5 * aside), to: x.to.map((edge) => edge + 5 * aside) },
    });
    // Now and then the same cells are shown otherwise, as when a panel is resized.
    const given = !calm && chance() < 0.2 && painting > 0 ? { ...picture(), grid: undefined } : picture();
    if (given.grid === undefined) {
      end -= columnsPerPainting;
      painter.paint(picture());
    }
    const { drawn } = painter.paint(given);
    result.push({ drawn, width: shown.width, wrong: differing(canvas, painted(picture(), 'canvas2d').canvas) });
  }
  return result;
}

const scales = {
  linear: { min: 1, max: 1000, scale: 'linear' },
  log: { min: 1, max: 1000, scale: 'log' },
  symlog: { min: -1000, max: 1000, scale: 'symlog', linearUpTo: 5 },
  rank: { min: 1, max: 1000, scale: 'rank' },
  diverging: { min: -1000, max: 1000, midpoint: 0, scale: 'linear' },
};
/** Fewer cells than pixels, as many, more, many of one axis and few of the other, and none. */
const sizes = [[3, 2], [40, 30], [97, 61], [160, 120], [1000, 256], [1024, 3], [0, 0]]; // prettier-ignore

/** Paints every kind of picture by both, and tells of each how many pixels differ by more than a colour step, and what it was painted by. */
export function compareBoth() {
  const chance = makeChance(7);
  const result = [];
  for (const [columns, rows] of sizes) {
    for (const [name, scale] of Object.entries(scales)) {
      const sign = () => (scale.min < 0 && chance() < 0.5 ? -1 : 1);
      const values = Float32Array.from({ length: columns * rows }, () =>
        chance() < 0.2 ? NaN : sign() * 1000 ** chance()
      );
      const measure = ['count', 'share', 'density'][result.length % 3];
      const heights = Float64Array.from({ length: rows }, (_, row) => 1 + row / 100);
      const shown = measured({ columns, rows, values }, measure, heights);
      // Of a column of a hundred cells each has about a hundredth.
      const unit = measure === 'share' ? 1 / (200 * Math.max(1, rows)) : 1;
      const steps = [64, 9][result.length % 2];
      const picture = {
        ...pictureOf({ columns, rows, values, width: 160, height: 120, steps }),
        measure,
        heights,
        ramp: { ...scale, min: unit * scale.min, max: unit * scale.max, ranks: ranksOf([shown]), steps },
        muted: result.length % 5 < 2 ? Uint8Array.from(values, () => (chance() < 0.2 ? 1 : 0)) : undefined,
        mutedColour: pixelOf('rgb(120, 130, 140)'),
        gap: result.length % 3,
      };
      const [one, other] = ['canvas2d', 'webgl2'].map((by) => painted(picture, by));
      result.push({
        what: `${columns} x ${rows} cells, ${name}, ${measure}, gap ${picture.gap}${picture.muted ? ', some muted' : ''}`,
        by: other.painting.by,
        cells: columns * rows,
        colours: new Set(pixelsOf(one.canvas)).size,
        differing: differing(one.canvas, other.canvas, 1),
      });
    }
  }
  return result;
}

/** A picture of which each pixel is known to be painted. */
function full() {
  const chance = makeChance(3);
  const values = Array.from({ length: 50 * 20 }, () => 1 + 15 * chance());
  return pictureOf({ columns: 50, rows: 20, values, width: 100, height: 60 });
}

/** What paints by default on this machine. */
export const chosen = () => painted(full()).painting.by;

/** WebGL contexts that are opened from now on, so that they can be lost. */
function watchContexts() {
  const opened = [];
  const { getContext } = OffscreenCanvas.prototype;
  OffscreenCanvas.prototype.getContext = function (kind, ...more) {
    const context = getContext.call(this, kind, ...more);
    if (kind === 'webgl2') {
      opened.push(context);
    }
    return context;
  };
  return opened;
}

/** Loses the graphics processor while a picture is seen, and while the next is painted. */
export async function loseContext() {
  const opened = watchContexts();
  const expected = painted(full(), 'canvas2d').canvas;
  const canvas = new OffscreenCanvas(1, 1);
  const before = { ...full(), table: tableOf(coloursOf('Viridis', 16, true)) };
  const { repainted, painter } = await new Promise((resolve) => {
    const painter = new Painter(canvas, (painting) => resolve({ repainted: painting, painter }), 'webgl2');
    painter.paint(full());
    // As if nothing of it had come to be seen.
    canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
    opened[0].getExtension('WEBGL_lose_context').loseContext();
  });
  const wrongAfterLoss = differing(canvas, expected);
  painter.paint(before);
  const next = painter.paint(full());
  return { repainted: repainted.by, wrongAfterLoss, next: next.by, wrongNext: differing(canvas, expected) };
}

/** Paints when the graphics processor is lost already, but nobody was told yet. */
export function paintLost() {
  const opened = watchContexts();
  const { canvas, painter, painting } = painted(full(), 'webgl2');
  opened[0].getExtension('WEBGL_lose_context').loseContext();
  const next = painter.paint({ ...full(), table: tableOf(coloursOf('Viridis', 16, true)) });
  const expected = painted({ ...full(), table: tableOf(coloursOf('Viridis', 16, true)) }, 'canvas2d').canvas;
  return { first: painting.by, next: next.by, wrong: differing(canvas, expected) };
}

/** Empties the canvas that is seen, and tells the painter as a browser does when it has restored its context. */
export function restoreCanvas() {
  const { canvas } = painted(full(), 'canvas2d');
  canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
  canvas.dispatchEvent(new Event('contextrestored'));
  return differing(canvas, painted(full(), 'canvas2d').canvas);
}

/** Opens a surface that is painted by WebGL, for [show] and [shownNow]. */
export function openByWebGL() {
  window.surface = new Surface(document.body, () => {}, undefined, 'webgl2');
}

/** Shows the picture that all tests of loss show. */
export async function show() {
  window.surface.show(full());
  return shownNow();
}

/** What the surface shows, and how. */
export async function shownNow() {
  const bitmap = await window.surface.pixels();
  return { wrong: differing(bitmap, painted(full(), 'canvas2d').canvas), ...window.surface.canvas.dataset };
}

/** Where points come to lie: 10 s to 110 s at the right, values from 0 to 60. */
const pointPicture = (spray, more = {}) => ({
  spray: {
    isNew: false,
    added: [],
    dropped: 0,
    x: { from: 10, to: 110 },
    y: { from: 0, to: 60 },
    sigma: 2,
    area: 1,
    ...spray,
  },
  ramp: { scale: 'log', steps: 32 },
  table: tableOf(coloursOf('Inferno', 32, true)),
  width: 100,
  height: 60,
  ...more,
});

/** Points anywhere on a canvas and around it. */
function pointsBy(chance, n, to = 110) {
  const some = (make) => Float64Array.from({ length: n }, make);
  return {
    x: some(() => to - 110 * chance()),
    y: some(() => 70 * chance() - 5),
    weight: Float32Array.from({ length: n }, () => Math.ceil(3 * chance())),
  };
}

/** The same points by ink of both kinds and by both painters: what each was made by, and how many pixels are more than a colour step off. */
export async function comparePoints({
  n,
  scale,
  halfLife,
  others = [
    ['canvas2d', 'simd'],
    ['webgl2', 'simd'],
  ],
}) {
  // prettier-ignore
  const chance = makeChance(11);
  const points = pointsBy(chance, n);
  const copy = () => ({ x: points.x.slice(), y: points.y.slice(), weight: points.weight.slice() });
  const picture = () => pointPicture({ added: [copy()], halfLife }, { ramp: { scale, steps: 32 } });
  const shown = [];
  for (const [by, inkBy] of [['canvas2d', 'script'], ...others]) {
    const canvas = new OffscreenCanvas(1, 1);
    shown.push({ canvas, painting: await new Painter(canvas, () => {}, by, inkBy).paint(picture()) });
  }
  const colours = tableOf(coloursOf('Inferno', 32, true));
  const levels = ({ canvas }) => Array.from(pixelsOf(canvas), (pixel) => colours.indexOf(pixel));
  const oracle = levels(shown[0]);
  return shown.map((one) => ({
    by: one.painting.by,
    ink: one.painting.points.by,
    ramp: one.painting.points.ramp,
    levels: new Set(levels(one)).size,
    strange: levels(one).filter((level) => level < 0).length,
    // From no ink to the faintest is a step, too.
    off: levels(one).filter((level, i) => Math.abs(level - oracle[i]) > 1).length,
  }));
}

/** Live points on a surface in a worker: each picture adds some, and time goes on. Returns how the last differs from one that is painted anew. */
export async function livePoints({ pictures, halfLife, inkBy }) {
  const chance = makeChance(5);
  const surface = new Surface(document.body, () => {}, undefined, undefined, inkBy);
  const all = [];
  let to = 110;
  for (let i = 0; i < pictures; i++, to += 1.5) {
    const points = pointsBy(chance, 20, to);
    all.push({ x: points.x.slice(), y: points.y.slice(), weight: points.weight.slice() });
    // Faster than they can be painted, but for some.
    surface.show(pointPicture({ added: [points], x: { from: to - 100, to }, halfLife }));
    if (chance() < 0.3) {
      await new Promise((next) => setTimeout(next, 20));
    }
  }
  to -= 1.5;
  const bitmap = await surface.pixels();
  const anew = new OffscreenCanvas(1, 1);
  const painter = new Painter(anew, () => {}, 'canvas2d', 'script');
  painter.paint(
    pointPicture({ added: all, x: { from: to - 100, to }, halfLife }, { ramp: { scale: 'log', steps: 32, max: 1 } })
  );
  surface.show(pointPicture({ x: { from: to - 100, to }, halfLife }, { ramp: { scale: 'log', steps: 32, max: 1 } }));
  const same = await surface.pixels();
  const colours = tableOf(coloursOf('Inferno', 32, true));
  const levels = (source) => Array.from(pixelsOf(source), (pixel) => colours.indexOf(pixel));
  const [one, other] = [levels(same), levels(anew)];
  return {
    ...surface.canvas.dataset,
    width: bitmap.width,
    levels: new Set(one).size,
    off: one.filter((level, i) => Math.abs(level - other[i]) > 1).length,
  };
}

/** Whether ink can be added by SIMD here. */
export const hasSimd = () => SimdInk.open(shapeOf(10, 10, 1)) !== undefined;

/** What the adapter of WebGPU is, and what its compiler says of our program; undefined where there is none. */
export async function compileForGpu() {
  const adapter = await navigator.gpu?.requestAdapter();
  const device = await adapter?.requestDevice();
  const info = await device?.createShaderModule({ code: blurProgram }).getCompilationInfo();
  return info && { adapter: adapter.info.architecture, messages: info.messages.map(({ message }) => message) };
}

/** Draws so much ink that a graphics processor would be asked for it: what it is made by where nobody says what to take. */
export async function inkOfMuch() {
  await sharedGpu(false);
  const picture = pointPicture({ added: [pointsBy(makeChance(1), 1000)], sigma: 40 }, { width: 1000, height: 400 });
  const painter = new Painter(new OffscreenCanvas(1, 1), () => {});
  painter.paint(pointPicture({}));
  await new Promise((next) => setTimeout(next, 100));
  return (await painter.paint(picture)).points.by;
}

/** Loses the graphics processor between two pictures, and while the second of two is made. */
export async function loseGpu() {
  const gpu = await sharedGpu(true);
  const chance = makeChance(2);
  const [one, other, third] = [0, 1, 2].map(() => pointsBy(chance, 300));
  const copy = (points) => ({ x: points.x.slice(), y: points.y.slice(), weight: points.weight.slice() });
  const canvas = new OffscreenCanvas(1, 1);
  const painter = new Painter(canvas, () => {}, 'canvas2d', 'webgpu');
  const result = [];
  const paint = async (points, meanwhile = () => {}) => {
    const painting = painter.paint(pointPicture({ isNew: true, added: [copy(points)] }));
    meanwhile();
    const { by, ramp } = (await painting).points;
    const anew = new OffscreenCanvas(1, 1);
    const { min, max } = ramp;
    const picture = pointPicture({ added: [copy(points)] }, { ramp: { scale: 'log', steps: 32, min, max } });
    new Painter(anew, () => {}, 'canvas2d', 'simd').paint(picture);
    const colours = tableOf(coloursOf('Inferno', 32, true));
    const [a, b] = [canvas, anew].map((source) => Array.from(pixelsOf(source), (pixel) => colours.indexOf(pixel)));
    result.push({ by, off: a.filter((level, i) => Math.abs(level - b[i]) > 1).length });
  };
  await paint(one);
  await paint(other, () => gpu.destroy());
  await paint(third);
  return result;
}
