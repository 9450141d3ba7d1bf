import { type Gaussian, gaussianOf } from './gaussian';

/**
 * Where ink lies: columns of pixels, each from its lowest row up, as the cells
 * of a grid do. Around the pixels that are seen there is a margin of twice the
 * reach of a point:
 *
 *     | margin    | seen                            | margin    |
 *     |     | points whose ink may be seen                |     |
 *     | all the ink of those                                    |
 *
 * So nobody has to ask whether ink lies within, and when the picture moves to
 * the left by some columns, all that is missing is points.
 */
export interface Shape extends Gaussian {
  /** Of what is seen, in device pixels. */
  width: number;
  height: number;
  sigma: number;
  margin: number;
  /** With the margins. */
  columns: number;
  /** How many floats a column has: with the margins, a multiple of 4. */
  stride: number;
}

export function shapeOf(width: number, height: number, sigma: number): Shape {
  const gaussian = gaussianOf(sigma);
  const margin = 2 * gaussian.radius;
  const stride = Math.ceil((height + 2 * margin) / 4) * 4;
  return { ...gaussian, width, height, sigma, margin, columns: width + 2 * margin, stride };
}

/** Points by the first float of the square that their ink covers, and how much of it there is. */
export interface Drops {
  cells: Int32Array<ArrayBuffer>;
  weights: Float32Array<ArrayBuffer>;
}

/** How ink is added and read. [ScriptInk] says what all of them do, up to rounding. */
export interface Ink {
  readonly by: 'script' | 'simd';
  /** One column after the other; 4 floats longer than they are. */
  readonly field: Float32Array<ArrayBuffer>;
  /** Adds the ink of drops, one by one: it takes as long as there are drops. */
  splat(drops: Drops): void;
  /** Adds the same ink by counting drops in pixels, and blurring those: it takes about as long however many there are. */
  blur(drops: Drops): void;
  /**
   * Fills `to` with what is seen, times `factor`; NaN where that is less than
   * `faintest`. Returns the greatest.
   */
  shade(factor: number, faintest: number, to: Float32Array): number;
}

/** Ink in typed arrays: where there is no WebAssembly, and what other ink is held against. */
export class ScriptInk implements Ink {
  readonly by = 'script';
  readonly field: Float32Array<ArrayBuffer>;
  /** With as many empty columns around them as ink reaches. */
  private bins?: { counts: Float32Array; blurred: Float32Array };

  constructor(private readonly shape: Shape) {
    this.field = new Float32Array(shape.columns * shape.stride + 4);
  }

  splat({ cells, weights }: Drops) {
    const { field } = this;
    const { stride, radius, taps } = this.shape;
    const side = 2 * radius + 1;
    for (let i = 0; i < cells.length; i++) {
      for (let tap = 0, column = cells[i]; tap < side; tap++, column += stride) {
        const across = Math.fround(weights[i] * taps[tap]);
        for (let up = 0; up < side; up++) {
          field[column + up] += across * taps[up];
        }
      }
    }
  }

  blur({ cells, weights }: Drops) {
    const { field, shape } = this;
    const { stride, radius, columns } = shape;
    const start = radius * stride;
    const length = columns * stride;
    this.bins ??= { counts: new Float32Array(length + 2 * start), blurred: new Float32Array(length + 2 * start) };
    const { counts, blurred } = this.bins;
    const taps = shape.taps.subarray(radius, 2 * radius + 1);
    const middle = start + radius * stride + radius;
    counts.fill(0);
    for (let i = 0; i < cells.length; i++) {
      counts[cells[i] + middle] += weights[i];
    }
    // Nothing of a column comes into its next: there are no counts in the outer half of the margins.
    for (let at = start; at < start + length; at++) {
      let sum = counts[at] * taps[0];
      for (let away = 1; away <= radius; away++) {
        sum += (counts[at - away] + counts[at + away]) * taps[away];
      }
      blurred[at] = sum;
    }
    for (let at = start; at < start + length; at++) {
      let sum = blurred[at] * taps[0];
      for (let away = 1, step = stride; away <= radius; away++, step += stride) {
        sum += (blurred[at - step] + blurred[at + step]) * taps[away];
      }
      field[at - start] += sum;
    }
  }

  shade(factor: number, faintest: number, to: Float32Array): number {
    const { width, height, margin, stride } = this.shape;
    let greatest = 0;
    for (let column = 0, at = 0; column < width; column++) {
      const first = (margin + column) * stride + margin;
      for (let row = 0; row < height; row++, at++) {
        const ink = this.field[first + row] * factor;
        greatest = ink > greatest ? ink : greatest;
        to[at] = ink >= faintest ? ink : NaN;
      }
    }
    return greatest;
  }
}
