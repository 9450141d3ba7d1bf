// What the renderer's tests do in the page. It is bundled for them, with the renderer.
import { Surface } from '../../src/renderer/surface.ts';
import { coloursOf, tableOf } from '../../src/renderer/colours.ts';

/** A picture of values, of which there are as many columns as fit on a canvas of that size, each cell as large as the others. */
export function pictureOf({ columns, rows, values, width, height, steps = 16, ...more }) {
  const edges = (cells, pixels) => ({
    from: Float32Array.from({ length: cells }, (_, i) => (i * pixels) / cells),
    to: Float32Array.from({ length: cells }, (_, i) => ((i + 1) * pixels) / cells),
  });
  const y = edges(rows, height);
  return {
    grid: { columns, rows, values: Float32Array.from(values) },
    ramp: { min: 1, max: 16, scale: 'linear', steps },
    table: tableOf(coloursOf('Inferno', steps, true)),
    x: edges(columns, width),
    y: { from: y.from.toReversed(), to: y.to.toReversed() },
    gap: 0,
    width,
    height,
    ...more,
  };
}

/** The pixels of a bitmap, a number each. */
export function pixelsOf(bitmap) {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  context.drawImage(bitmap, 0, 0);
  return new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
}

export function openSurface() {
  return new Surface(document.body, () => {});
}
