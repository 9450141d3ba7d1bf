// Writes what the renderer makes of some counts and edges, which the test of
// gotherm-agent render holds its own against: `npm run generate:schemes`.
import { spansOf } from '../src/renderer/draw';
import { levelOn } from '../src/renderer/ramp';

const levels = [
  [1, 1],
  [1, 2],
  [1, 1000],
  [3, 70],
  [1, 4051],
  [12, 1e6],
].map(([min, max]) => {
  const level = levelOn({ min, max, scale: 'log', steps: 64 });
  const counts = Array.from({ length: 40 }, (_, i) => Math.round(min * (max / min) ** (i / 39)));
  return { fewest: min, most: max, counts, levels: counts.map(level) };
});

// Cells of equal width, from a first edge on: some pixels each, a part of one, and beyond both ends.
const spans = [
  [4, 100, 0, 25],
  [7, 100, -3.3, 14.7],
  [60, 20, 0, 20 / 60],
  [50, 33, -5.2, 0.9],
  [3, 20, 15, 10],
].map(([cells, pixels, start, width]) => {
  const edges = Float32Array.from({ length: cells + 1 }, (_, i) => start + i * width);
  const { first, last } = spansOf({ from: edges.subarray(0, cells), to: edges.subarray(1) }, pixels);
  return { cells, pixels, edges: [...edges], first: [...first], last: [...last] };
});

process.stdout.write(`${JSON.stringify({ levels, spans })}\n`);
