/**
 * How Grafana's own heatmap draws, written anew to be measured beside ours: a
 * uPlot chart whose cells are rectangles, collected into one Path2D for each
 * colour, and remembered in a quadtree for the pointer. Nothing is left out
 * that it does for each redraw, and nothing added.
 */
import uPlot from 'uplot';
import { Quadtree } from './quadtree';
import type { Cells, Rig } from './rig';

export function makeCore(parent: HTMLElement, width: number, height: number, colours: string[], first: Cells): Rig {
  let cells = first;
  let drawn = () => {};
  let tree: Quadtree;

  const paths: uPlot.Series.PathBuilder = (u, series) => {
    uPlot.orient(u, series, (...args) => {
      const [, , , scaleX, scaleY, toX, toY, left, top, plotWidth, plotHeight, , , rect] = args;
      const [xs, ys, counts] = u.data[series] as unknown as [number[], number[], number[]];
      const levels = levelsOf(counts, cells.max, colours.length);
      const fills = colours.map(() => new Path2D());
      tree = new Quadtree(0, 0, u.bbox.width, u.bbox.height);
      const w = Math.max(
        1,
        Math.abs(toX(xs[cells.rows] - xs[0], scaleX, plotWidth, left) - toX(0, scaleX, plotWidth, left))
      );
      const h = Math.max(1, Math.abs(toY(ys[1] - ys[0], scaleY, plotHeight, top) - toY(0, scaleY, plotHeight, top)));
      const tops = ys.slice(0, cells.rows).map((y) => toY(y, scaleY, plotHeight, top) - h);
      const lefts = Array.from({ length: cells.columns }, (_, column) =>
        toX(xs[column * cells.rows], scaleX, plotWidth, left)
      );
      for (let i = 0; i < counts.length; i++) {
        const x = lefts[Math.trunc(i / cells.rows)];
        const y = tops[i % cells.rows];
        rect(fills[levels[i]], x, y, w, h);
        tree.add({ x: x - u.bbox.left, y: y - u.bbox.top, w, h, cell: i });
      }
      u.ctx.save();
      u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      u.ctx.clip();
      fills.forEach((fill, level) => {
        u.ctx.fillStyle = colours[level];
        u.ctx.fill(fill);
      });
      u.ctx.restore();
    });
    return null;
  };

  const chart = new uPlot(
    {
      mode: 2,
      width,
      height,
      legend: { show: false },
      scales: { x: { time: false }, y: {} },
      axes: [{}, {}],
      series: [
        {},
        {
          facets: [
            { scale: 'x', auto: true, sorted: 1 },
            { scale: 'y', auto: true },
          ],
          paths,
        },
      ],
      hooks: { draw: [() => drawn()] },
    },
    dataOf(first),
    parent
  );
  return {
    redraw: (next) => {
      cells = next;
      const done = new Promise<void>((resolve) => (drawn = resolve));
      chart.setData(dataOf(next));
      return done;
    },
    // Reading a pixel waits until all that was ordered has been drawn.
    finish: () => void chart.ctx.getImageData(0, 0, 1, 1),
  };
}

const dataOf = ({ xs, ys, counts }: Cells) => [null, [xs, ys, counts]] as unknown as uPlot.AlignedData;

function levelsOf(counts: number[], max: number, steps: number): number[] {
  return counts.map((count) => Math.min(steps - 1, Math.floor((steps * count) / max)));
}
