import { coloursOf, Surface, tableOf, type Ramp } from '../../src/renderer';
import { type By, Painter, type Picture } from '../../src/renderer/painter';
import type { Cells, Rig } from './rig';

/** Levels that heat is drawn in, here and by the core panel's technique. */
export const steps = 64;

export const colours = coloursOf('Inferno', steps, true);

function even(cells: number, pixels: number) {
  return {
    from: Float32Array.from({ length: cells }, (_, i) => (i * pixels) / cells),
    to: Float32Array.from({ length: cells }, (_, i) => ((i + 1) * pixels) / cells),
  };
}

function pictureOf({ columns, rows, values, max }: Cells, width: number, height: number): Picture {
  const ramp: Ramp = { min: 1, max, scale: 'linear', steps };
  const up = even(rows, height);
  return {
    // A surface gives the buffers away.
    grid: { columns, rows, values: values.slice() },
    ramp,
    table: tableOf(colours),
    x: even(columns, width),
    y: { from: up.from.toReversed(), to: up.to.toReversed() },
    gap: 0,
    width,
    height,
  };
}

/** Our renderer on the page's thread. */
export function makePage(parent: HTMLElement, width: number, height: number, by: By): Rig {
  const canvas = parent.ownerDocument.createElement('canvas');
  canvas.style.cssText = `width: ${width}px; height: ${height}px`;
  parent.append(canvas);
  const painter = new Painter(canvas, undefined, by);
  return {
    redraw: async (cells) => {
      const painting = painter.paint(pictureOf(cells, width, height));
      if (painting.by !== by) {
        throw new Error(`painted by ${painting.by}, must be ${by}`);
      }
    },
    finish: () => void canvas.getContext('2d')!.getImageData(0, 0, 1, 1),
  };
}

/** Our renderer as the panel has it: in a worker. */
export function makeWorker(parent: HTMLElement, width: number, height: number): Rig {
  let painted = () => {};
  const lost = () => {
    throw new Error('the worker is lost');
  };
  const surface = new Surface(parent, lost, () => painted());
  surface.canvas.style.cssText = `width: ${width}px; height: ${height}px`;
  return {
    redraw: (cells) => {
      const done = new Promise<void>((resolve) => (painted = resolve));
      surface.show(pictureOf(cells, width, height));
      return done;
    },
    finish: () => {},
    paintings: () => surface.paintings,
  };
}
