/** Times a redraw of new data, beside the obvious way: one fillRect for each cell. Run by npm run bench. */
import { coloursOf, tableOf } from './colours';
import type { Edges, Grid } from './draw';
import { Painter } from './painter';
import type { Ramp } from './ramp';

const width = 1200;
const height = 400;
const steps = 64;
const ramp: Ramp = { min: 1, max: 1000, scale: 'log', steps };
const colours = coloursOf('Inferno', steps, true);

function makeGrid(columns: number, rows: number): Grid {
  return { columns, rows, values: Float32Array.from({ length: columns * rows }, () => 1000 ** Math.random()) };
}

function even(cells: number, pixels: number): Edges {
  const edge = (i: number) => (i * pixels) / cells;
  return {
    from: Float32Array.from({ length: cells }, (_, i) => edge(i)),
    to: Float32Array.from({ length: cells }, (_, i) => edge(i + 1)),
  };
}

/** What both ways are timed with: a canvas, and the wait until it is drawn. */
function makeCanvas() {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return { canvas, finish: () => canvas.getContext('2d')!.getImageData(width - 1, height - 1, 1, 1) };
}

function fillRects(canvas: HTMLCanvasElement, { columns, rows, values }: Grid) {
  const context = canvas.getContext('2d')!;
  context.clearRect(0, 0, width, height);
  const low = Math.log(ramp.min);
  const range = Math.log(ramp.max) - low;
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const heat = (Math.log(values[column * rows + row]) - low) / range;
      context.fillStyle = colours[Math.min(steps - 1, Math.floor(heat * steps))];
      context.fillRect((column * width) / columns, ((rows - 1 - row) * height) / rows, width / columns, height / rows);
    }
  }
}

/** The median time of a redraw in milliseconds, the ways taking turns so that both have the same weather. */
function times(columns: number, rows: number, turns: number) {
  const naive = makeCanvas();
  const ours = makeCanvas();
  const painter = new Painter(ours.canvas);
  const table = tableOf(colours);
  const y = even(rows, height);
  const picture = {
    ramp,
    table,
    gap: 0,
    width,
    height,
    x: even(columns, width),
    y: { from: y.from.toReversed(), to: y.to.toReversed() },
  };
  const took = { naive: [] as number[], ours: [] as number[] };
  for (let turn = 0; turn < turns; turn++) {
    const grid = makeGrid(columns, rows);
    const start = performance.now();
    fillRects(naive.canvas, grid);
    naive.finish();
    const between = performance.now();
    painter.paint({ ...picture, grid });
    ours.finish();
    took.naive.push(between - start);
    took.ours.push(performance.now() - between);
  }
  const median = (all: number[]) => all.sort((a, b) => a - b)[all.length >> 1];
  return { naive: median(took.naive), ours: median(took.ours) };
}

/** The lines to print. */
export function run(): string[] {
  return [
    { columns: 100, rows: 60, turns: 41 },
    { columns: 500, rows: 100, turns: 21 },
    { columns: 1000, rows: 256, turns: 11 },
    { columns: 1024, rows: 1024, turns: 7 },
  ].flatMap(({ columns, rows, turns }) => {
    const { naive, ours } = times(columns, rows, turns);
    const name = `draw_${columns}x${rows}`;
    return [`${name}_ms ${ours.toFixed(2)}`, `${name}_fillrect_ratio ${(naive / ours).toFixed(1)}`];
  });
}
