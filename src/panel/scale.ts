import type { Bounds } from './bounds';

/**
 * What is even on an axis: differences (linear), factors (log), differences
 * near zero and factors far from it, on both its sides (symlog), or buckets,
 * each of them as high as the next (ordinal).
 */
export type Kind = 'linear' | 'log' | 'symlog' | 'ordinal';

/** Says where values lie on an axis, but not yet in which room. */
export interface Extent {
  kind: Kind;
  /** Its ends. On an ordinal axis they are places, as all that is said of it: bucket i lies between i and i + 1. */
  min: number;
  max: number;
  /** For symlog: about how far from zero it is still linear. */
  linearUpTo?: number;
  /** For ordinal: the buckets, lowest first. */
  order?: Bounds;
  /** Whether the axis runs the other way: its max is where others have their min. */
  isReversed?: boolean;
}

/** Maps values to a length in pixels: `min` to 0, `max` to `length`. */
export interface Scale extends Extent {
  length: number;
}

type Warp = Pick<Extent, 'kind' | 'linearUpTo'>;

/** Turns values into numbers that are even on the axis. */
function warp({ kind, linearUpTo = 1 }: Warp, value: number): number {
  switch (kind) {
    case 'log':
      return Math.log(Math.max(value, Number.MIN_VALUE));
    case 'symlog':
      // J. B. W. Webber, "A bi-symmetric log transformation for wide-range data" (2012).
      return Math.sign(value) * Math.log1p(Math.abs(value) / linearUpTo);
    default:
      return value;
  }
}

function unwarp({ kind, linearUpTo = 1 }: Warp, even: number): number {
  switch (kind) {
    case 'log':
      return Math.exp(even);
    case 'symlog':
      return Math.sign(even) * Math.expm1(Math.abs(even)) * linearUpTo;
    default:
      return even;
  }
}

/** A place of the scale, in numbers that are even on the axis. */
export const evenOn = (scale: Warp, place: number) => warp(scale, place);

/** Where a value lies; outside of 0 to `length` when it is outside of the scale. */
export function toPixel(scale: Scale, value: number): number {
  const { min, max, length, isReversed } = scale;
  const low = warp(scale, min);
  const part = (warp(scale, value) - low) / (warp(scale, max) - low);
  return (isReversed ? 1 - part : part) * length;
}

/** The value at a pixel. */
export function toValue(scale: Scale, pixel: number): number {
  const { min, max, length, isReversed } = scale;
  const part = pixel / length;
  const [low, high] = [warp(scale, min), warp(scale, max)];
  return unwarp(scale, low + (isReversed ? 1 - part : part) * (high - low));
}

/** Where a value of the data lies among what the axis counts: on an ordinal axis in its bucket, else where it is. */
export function placeOf({ kind, order }: Extent, value: number): number {
  if (kind !== 'ordinal' || !order) {
    return value;
  }
  const { from, to } = order;
  const bucket = from.findIndex((low, i) => value >= low && value < to[i]);
  if (bucket < 0) {
    // Beside all buckets, or between two of them.
    return to.filter((end) => end <= value).length;
  }
  const part = (value - from[bucket]) / (to[bucket] - from[bucket]);
  return bucket + (part > 0 ? part : 0);
}

/** Whether cells are wider the higher they are, as exponential buckets are, and all from zero up. */
export function isExponential({ from, to }: Bounds): boolean {
  return !from.some((value) => value < 0) && grows(from, to);
}

/** Whether they are so on both sides of zero. */
export function isExponentialAroundZero({ from, to }: Bounds): boolean {
  return (
    from.some((value) => value < 0) &&
    (grows(from, to) ||
      grows(
        to.map((value) => -value),
        from.map((value) => -value)
      ))
  );
}

/** Whether the cells over zero are wider the further they are from it. */
function grows(from: Float64Array, to: Float64Array): boolean {
  let [lowest, highest] = [-1, -1];
  for (let i = 0; i < from.length; i++) {
    if (from[i] > 0 && Number.isFinite(to[i])) {
      lowest = lowest < 0 || from[i] < from[lowest] ? i : lowest;
      highest = highest < 0 || from[i] > from[highest] ? i : highest;
    }
  }
  const width = (i: number) => to[i] - from[i];
  return lowest !== highest && width(highest) > 1.05 * width(lowest);
}

/** Whether a cell has no end, or none that the axis has: below, above. */
export function isOpen({ from, to }: Bounds, cell: number, kind: Kind): { below: boolean; above: boolean } {
  return { below: from[cell] === -Infinity || (kind === 'log' && from[cell] <= 0), above: to[cell] === Infinity };
}

/**
 * Gives cells ends that can be drawn. A bucket that begins at zero has no
 * beginning on a log scale, and one that is open to infinity has no end on
 * any: each is drawn as wide as its neighbour. On an ordinal scale they are
 * where their buckets are in its order.
 */
export function drawable(bounds: Bounds, scale: Pick<Extent, 'kind' | 'linearUpTo' | 'order'>): Bounds {
  const { kind, order } = scale;
  if (kind === 'ordinal' && order) {
    return places(bounds, order);
  }
  const from = bounds.from.slice();
  const to = bounds.to.slice();
  const whole = Array.from(from.keys()).filter((i) => {
    const { below, above } = isOpen(bounds, i, kind);
    return !below && !above;
  });
  const isLog = kind === 'log';
  // Of powers of two the quotient is exact, and their logarithms are not.
  const size = (i: number) => (isLog ? to[i] / from[i] : warp(scale, to[i]) - warp(scale, from[i]));
  const first = whole.length > 0 ? size(whole[0]) : isLog ? 2 : 1;
  const last = whole.length > 0 ? size(whole[whole.length - 1]) : first;
  for (let i = 0; i < from.length; i++) {
    const { below, above } = isOpen(bounds, i, kind);
    if (below) {
      from[i] = isLog ? to[i] / first : unwarp(scale, warp(scale, to[i]) - first);
    }
    if (above) {
      to[i] = isLog ? from[i] * last : unwarp(scale, warp(scale, from[i]) + last);
    }
  }
  return { from, to };
}

function places(bounds: Bounds, order: Bounds): Bounds {
  const name = ({ from, to }: Bounds, i: number) => `${from[i]} ${to[i]}`;
  const at = new Map(Array.from(order.from, (_, i) => [name(order, i), i]));
  const from = Float64Array.from(bounds.from, (_, i) => at.get(name(bounds, i)) ?? NaN);
  return { from, to: from.map((place) => place + 1) };
}

/** All different cells, lowest first. */
export function orderOf(all: Bounds[]): Bounds {
  const cells = new Map<string, [from: number, to: number]>();
  for (const { from, to } of all) {
    from.forEach((low, i) => cells.set(`${low} ${to[i]}`, [low, to[i]]));
  }
  const sorted = [...cells.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return { from: Float64Array.from(sorted, ([from]) => from), to: Float64Array.from(sorted, ([, to]) => to) };
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
