import type { AbsoluteTimeRange } from '@grafana/data';
import type { Bounds } from './bounds';
import { type Heat, positionOf } from './heat';
import { drawable, type Scale, toPixel } from './scale';

/** The hits of each row in the columns that are seen, hidden cells among them. */
export function sumsOfRows(heat: Heat, range: AbsoluteTimeRange): Float64Array {
  const { x, y, counts } = heat;
  const sums = new Float64Array(y.from.length);
  for (let cell = 0; cell < counts.length; cell++) {
    const [column, row] = positionOf(heat, cell);
    if (counts[cell] > 0 && x.to[column] > range.from && x.from[column] < range.to) {
      sums[row] += counts[cell];
    }
  }
  return sums;
}

/** A bar of a histogram: where it lies along the axis, and how long it is, 0 to 1. */
export interface Bar {
  from: number;
  to: number;
  part: number;
}

/** The bars of sums beside an axis, of which the greatest that is seen is as long as there is room. */
export function barsOf(sums: Float64Array, bounds: Bounds, scale: Scale): Bar[] {
  const { from, to } = drawable(bounds, scale);
  const bars = Array.from(sums, (sum, i) => {
    const ends = [toPixel(scale, from[i]), toPixel(scale, to[i])].map((end) =>
      Math.min(scale.length, Math.max(0, end))
    );
    return { from: Math.min(...ends), to: Math.max(...ends), part: sum };
  }).filter((bar) => bar.to > bar.from && bar.part > 0);
  const most = Math.max(...bars.map(({ part }) => part));
  return bars.map((bar) => ({ ...bar, part: bar.part / most }));
}
