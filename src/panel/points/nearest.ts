import { placeOf, type Scale, toPixel } from '../scale';
import type { PointSeries } from './events';

/** A point, and how much ink there is where a pointer is. */
export interface Near {
  /** The number of the nearest point within reach; -1 where there is none. */
  point: number;
  /** Hits per pixel, as they are drawn. */
  ink: number;
}

/** What is told of a point is told this far from it, in CSS pixels. */
const reach = 12;

interface Where {
  across: Scale;
  scale: Scale;
  /** In CSS pixels. */
  sigma: number;
  /** How far from the right end ink has half its strength, in milliseconds. */
  halfLife?: number;
}

/** Finds what is near a place of a plot, in pixels from its left and its bottom. */
export function nearestTo(
  series: PointSeries,
  at: { x: number; y: number },
  { across, scale, sigma, halfLife }: Where
): Near {
  const { times, values, weights } = series;
  const radius = 3 * sigma;
  let nearest = { point: -1, distance: reach };
  let ink = 0;
  for (let i = 0; i < times.length; i++) {
    const dx = toPixel(across, times[i]) - at.x;
    if (Math.abs(dx) > Math.max(reach, radius)) {
      continue;
    }
    const dy = toPixel(scale, placeOf(scale, values[i])) - at.y;
    const distance = Math.hypot(dx, dy);
    if (distance < nearest.distance) {
      nearest = { point: i, distance };
    }
    if (distance <= radius) {
      const age = halfLife === undefined ? 0 : (across.max - times[i]) / halfLife;
      ink += weights[i] * 2 ** -age * Math.exp(-(distance ** 2) / (2 * sigma ** 2));
    }
  }
  return { point: nearest.point, ink: ink / (2 * Math.PI * sigma ** 2) };
}
