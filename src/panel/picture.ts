import type { AbsoluteTimeRange, TimeRange } from '@grafana/data';
import type { Edges, Grid, Ramp } from '../renderer';
import { type Bounds, type Heat, isFilled } from './heat';
import type { Options } from './options';
import { drawable, extentOf, isExponential, type Scale, toPixel } from './scale';

/** The scale of the horizontal axis: time is linear, bins are as wide as they look best. */
export function columnScale(
  heats: Heat[],
  range: TimeRange,
  isStreaming: boolean,
  options: Options['xAxis']
): Omit<Scale, 'length'> {
  if (heats.length > 0 && !heats[0].xIsTime) {
    const log = options.scale === 'auto' ? heats.some((heat) => isExponential(heat.x)) : options.scale === 'log';
    const [min, max] = extentOf(heats.map((heat) => drawable(heat.x, log)))!;
    return { log, min, max };
  }
  const { from, to } = shownRange(range, heats, isStreaming);
  return { log: false, min: from, max: to };
}

/** A scale of the value axis that all series fit on. `length` is left for the layout to fill in. */
export function valueScale(heats: Heat[], options: Options['yAxis']): Omit<Scale, 'length'> {
  const log = options.scale === 'auto' ? heats.some((heat) => isExponential(heat.y)) : options.scale === 'log';
  const [least, greatest] = extentOf(heats.map((heat) => drawable(heat.y, log))) ?? [log ? 1 : 0, log ? 10 : 1];
  let min = options.min ?? least;
  const max = options.max ?? greatest;
  if (log && min <= 0) {
    min = Math.min(least > 0 ? least : max / 1e6, max / 10);
  }
  return max > min ? { log, min, max } : { log, min: least, max: greatest };
}

/** Why the values cannot be shown on the scale that was chosen; undefined when they can. */
export function misfit(heats: Heat[], options: Options['yAxis']): string | undefined {
  const below = heats.find((heat) => heat.y.from.some((value) => value < 0));
  return options.scale === 'log' && below
    ? `field ${below.yField.name} of ${below.name || 'the series'} has values below 0, which a log scale does not show: choose a linear Y axis`
    : undefined;
}

/** The ramp that the counts, or values, of all series fit on. Cells that are not drawn do not count. */
export function rampOf(heats: Heat[], { scale, steps, min, max }: Options['color']): Ramp {
  let least = Infinity;
  let lowest = 0;
  let greatest = 0;
  for (const heat of heats) {
    heat.counts.forEach((count, cell) => {
      if (isFilled(heat, cell)) {
        // Of what is not over 0, a log scale has no place: it is the coldest.
        least = count > 0 ? Math.min(least, count) : least;
        lowest = Math.min(lowest, count);
        greatest = Math.max(greatest, count);
      }
    });
  }
  least = Number.isFinite(least) ? least : 1;
  const ramp = { min: min ?? (scale === 'log' ? least : lowest), max: max ?? Math.max(greatest, least), scale, steps };
  if (scale === 'log' && ramp.min <= 0) {
    ramp.min = least;
  }
  return ramp;
}

/** The numbers to draw: a cell that nothing is in is no cell. */
export function gridOf(heat: Heat): Grid {
  return {
    columns: heat.x.from.length,
    rows: heat.y.from.length,
    values: Float32Array.from(heat.counts, (count, cell) => (isFilled(heat, cell) ? count : NaN)),
  };
}

/** Where the columns lie in device pixels, from the left. */
export function columnEdges(x: Bounds, scale: Scale): Edges {
  const { from, to } = drawable(x, scale.log);
  const place = (at: number) => toPixel(scale, at);
  return { from: Float32Array.from(from, place), to: Float32Array.from(to, place) };
}

/** Where the rows lie in device pixels, from the top. */
export function rowEdges(y: Bounds, scale: Scale): Edges {
  const { from, to } = drawable(y, scale.log);
  const place = (value: number) => scale.length - toPixel(scale, value);
  return { from: Float32Array.from(to, place), to: Float32Array.from(from, place) };
}

/**
 * The range to show. Live columns come in after the range was asked for: while
 * they stream, a range that ends now goes along with the newest.
 */
function shownRange(range: TimeRange, heats: Heat[], isStreaming: boolean): AbsoluteTimeRange {
  const from = range.from.valueOf();
  const to = range.to.valueOf();
  const endsNow = range.raw.to === 'now';
  const newest = Math.max(...heats.map((heat) => heat.x.to[heat.x.to.length - 1]));
  const shift = isStreaming && endsNow ? Math.max(0, newest - to) : 0;
  return { from: from + shift, to: to + shift };
}
