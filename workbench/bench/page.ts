/** What the benchmark's page can do; panel.mjs tells it what, and measures the browser from outside. */
import { makeCore } from './core';
import { colours, makePage, makeWorker } from './ours';
import { type Cells, makeCells, type Rig } from './rig';

export * as points from './points';

const width = 1200;
const height = 400;

let rig: Rig | undefined;
let sets: Cells[] = [];

/** Makes a way of drawing, and data for it: enough sets that no two redraws in a row have the same. */
export async function begin(way: 'core' | 'canvas2d' | 'webgl2' | 'worker', columns: number, rows: number) {
  const parent = document.createElement('div');
  document.body.replaceChildren(parent);
  sets = Array.from({ length: columns * rows > 300_000 ? 2 : 4 }, () => makeCells(columns, rows));
  rig =
    way === 'core'
      ? makeCore(parent, width, height, colours, sets[0])
      : way === 'worker'
        ? makeWorker(parent, width, height)
        : makePage(parent, width, height, way);
  await rig.redraw(sets[0]);
  rig.finish();
}

/** Lets the browser do what else is due, as it does between any two updates. A timer would wait for 4 ms. */
function breath() {
  return new Promise<void>((next) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      next();
    };
    port2.postMessage(null);
  });
}

/** Redraws as fast as it goes, for at least so long and so often. Returns redraws and seconds. */
export async function uncapped(milliseconds: number, least: number): Promise<[number, number]> {
  const start = performance.now();
  let n = 0;
  while (n < least || performance.now() - start < milliseconds) {
    await rig!.redraw(sets[n++ % sets.length]);
    rig!.finish();
    await breath();
  }
  return [n, (performance.now() - start) / 1000];
}

/** Redraws with each frame of the browser. Returns how many were painted in a second. */
export async function capped(milliseconds: number): Promise<number> {
  const start = performance.now();
  const before = rig!.paintings!();
  for (let frame = 0; performance.now() - start < milliseconds; frame++) {
    await new Promise(requestAnimationFrame);
    // A picture that comes while one is being painted waits; only the newest of them is painted.
    void rig!.redraw(sets[frame % sets.length]);
  }
  return (1000 * (rig!.paintings!() - before)) / (performance.now() - start);
}

/** Redraws ten times a second, as live data comes. Returns how many a second were drawn. */
export async function live(milliseconds: number): Promise<number> {
  const start = performance.now();
  let drawn = 0;
  let due = 0;
  let busy = false;
  while (performance.now() - start < milliseconds) {
    await new Promise((next) => setTimeout(next, Math.max(0, start + 100 * due - performance.now())));
    // An update that comes while the one before is being drawn replaces it.
    due = Math.max(due + 1, Math.ceil((performance.now() - start) / 100));
    if (!busy) {
      busy = true;
      void rig!.redraw(sets[due % sets.length]).then(() => {
        rig!.finish();
        busy = false;
        drawn++;
      });
    }
  }
  return (1000 * drawn) / (performance.now() - start);
}
