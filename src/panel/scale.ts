import type { Bounds } from './heat';

/** Maps values to a length in pixels: `min` to 0, `max` to `length`. */
export interface Scale {
  log: boolean;
  min: number;
  max: number;
  length: number;
}

/** Where a value lies; outside of 0 to `length` when it is outside of the scale. */
export function toPixel(scale: Scale, value: number): number {
  const { log, min, max, length } = scale;
  if (log) {
    return (Math.log(Math.max(value, Number.MIN_VALUE) / min) / Math.log(max / min)) * length;
  }
  return ((value - min) / (max - min)) * length;
}

/** The value at a pixel. */
export function toValue(scale: Scale, pixel: number): number {
  const { log, min, max, length } = scale;
  return log ? min * (max / min) ** (pixel / length) : min + ((max - min) * pixel) / length;
}

/** Whether cells are wider the higher they are, as exponential buckets are, and all from zero up. */
export function isExponential({ from, to }: Bounds): boolean {
  const finite = Array.from(from.keys()).filter((i) => from[i] > 0 && Number.isFinite(to[i]));
  if (finite.length < 2 || from.some((value) => value < 0)) {
    return false;
  }
  const width = (i: number) => to[i] - from[i];
  return width(finite[finite.length - 1]) > 1.05 * width(finite[0]);
}

/**
 * Gives cells ends that can be drawn. A bucket that begins at zero has no
 * beginning on a log scale, and one that is open to infinity has no end on
 * any: each is drawn as wide as its neighbour.
 */
export function drawable(bounds: Bounds, log: boolean): Bounds {
  const from = bounds.from.slice();
  const to = bounds.to.slice();
  const whole = Array.from(from.keys()).filter(
    (i) => Number.isFinite(from[i]) && Number.isFinite(to[i]) && (!log || from[i] > 0)
  );
  const size = (i: number) => (log ? to[i] / from[i] : to[i] - from[i]);
  const first = whole.length > 0 ? size(whole[0]) : log ? 2 : 1;
  const last = whole.length > 0 ? size(whole[whole.length - 1]) : first;
  for (let i = 0; i < from.length; i++) {
    if (from[i] === -Infinity || (log && from[i] <= 0)) {
      from[i] = log ? to[i] / first : to[i] - first;
    }
    if (to[i] === Infinity) {
      to[i] = log ? from[i] * last : from[i] + last;
    }
  }
  return { from, to };
}

/** The least and the greatest of the ends of cells; undefined when there are none. */
export function extentOf(all: Bounds[]): [min: number, max: number] | undefined {
  let min = Infinity;
  let max = -Infinity;
  for (const { from, to } of all) {
    for (let i = 0; i < from.length; i++) {
      min = Math.min(min, from[i]);
      max = Math.max(max, to[i]);
    }
  }
  return min < max ? [min, max] : undefined;
}

/** The number of the cell that holds a value, [from, to); -1 when none does. */
export function cellOf({ from, to }: Bounds, value: number): number {
  for (let low = 0, high = from.length - 1; low <= high;) {
    const middle = (low + high) >> 1;
    if (value < from[middle]) {
      high = middle - 1;
    } else if (value >= to[middle]) {
      low = middle + 1;
    } else {
      return middle;
    }
  }
  return -1;
}
