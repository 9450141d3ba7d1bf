import type { AbsoluteTimeRange, TimeRange } from '@grafana/data';
import { type Edges, type Grid, type Ramp, ranksOf, schemes, see, type Summary, type Values } from '../renderer';
import type { Bounds } from './bounds';
import { type Heat, isFilled } from './heat';
import { defaultOptions, type Options } from './options';
import {
  drawable,
  type Extent,
  extentOf,
  isExponential,
  isExponentialAroundZero,
  type Kind,
  orderOf,
  placeOf,
  type Scale,
  toPixel,
} from './scale';
import { measureOf, rowHeights, valuesOf } from './shown';

/**
 * The scale of the horizontal axis: time is linear, bins are as wide as they look
 * best. Given how many device pixels it has, live time goes by whole ones.
 */
export function columnScale(
  heats: Heat[],
  range: TimeRange,
  isStreaming: boolean,
  options: Options['xAxis'],
  pixels?: number
): Extent {
  if (heats.length > 0 && !heats[0].xIsTime) {
    const isLog = options.scale === 'auto' ? heats.some((heat) => isExponential(heat.x)) : options.scale === 'log';
    const kind = isLog ? 'log' : 'linear';
    const [min, max] = extentOf(heats.map((heat) => drawable(heat.x, { kind })))!;
    return { kind, min, max };
  }
  const { from, to } = shownRange(range, heats, isStreaming, pixels);
  return { kind: 'linear', min: from, max: to };
}

/** A scale of the value axis that all series fit on. */
export function valueScale(heats: Heat[], options: Options['yAxis']): Extent {
  const all = heats.map((heat) => heat.y);
  const warp = {
    kind: kindOf(heats, options.scale),
    linearUpTo: options.linearUpTo ?? leastOf(all),
    order: orderOf(all),
  };
  const isLog = warp.kind === 'log';
  const [least, greatest] = extentOf(all.map((y) => drawable(y, warp))) ?? [isLog ? 1 : 0, isLog ? 10 : 1];
  const ends = { ...warp, min: least, max: greatest };
  let min = options.min === undefined ? least : placeOf(ends, options.min);
  const max = options.max === undefined ? greatest : placeOf(ends, options.max);
  if (isLog && min <= 0) {
    min = Math.min(least > 0 ? least : max / 1e6, max / 10);
  }
  return {
    kind: warp.kind,
    ...(max > min ? { min, max } : { min: least, max: greatest }),
    ...(warp.kind === 'symlog' && { linearUpTo: warp.linearUpTo }),
    ...(warp.kind === 'ordinal' && { order: warp.order }),
    ...(options.reverse && { isReversed: true }),
  };
}

/** What a scale is when the user leaves it to the data. */
function kindOf(heats: Heat[], chosen: Options['yAxis']['scale']): Kind {
  if (chosen !== 'auto') {
    return chosen;
  }
  if (heats.length > 0 && heats.every(({ isOrdinal }) => isOrdinal)) {
    return 'ordinal';
  }
  const all = heats.map((heat) => heat.y);
  return all.some(isExponentialAroundZero) ? 'symlog' : all.some(isExponential) ? 'log' : 'linear';
}

/** The end of a bucket that is nearest to zero, but not zero. */
function leastOf(all: Bounds[]): number {
  let least = Infinity;
  for (const { from, to } of all) {
    for (const end of [...from, ...to]) {
      least = end === 0 ? least : Math.min(least, Math.abs(end));
    }
  }
  return Number.isFinite(least) ? least : 1;
}

/** Why the values cannot be shown on the scale that was chosen; undefined when they can. */
export function misfit(heats: Heat[], options: Options['yAxis']): string | undefined {
  const below = heats.find((heat) => heat.y.from.some((value) => value < 0));
  return options.scale === 'log' && below
    ? `field ${below.yField.name} of ${below.name || 'the series'} has values below 0, which a log scale does not show: choose the scale symlog, linear or ordinal for the Y axis`
    : undefined;
}

/** The ramp that what all series show fits on. Cells that are not drawn do not count. */
export function rampOf(heats: Heat[], color: Options['color'], yAxis = defaultOptions.yAxis): Ramp {
  return rampFrom(summaryOf(heats, color, yAxis), color);
}

/** What the ramp of series has to know of what they show. */
function summaryOf(heats: Heat[], color: Options['color'], yAxis: Options['yAxis']): Summary {
  const summary: Summary = { least: Infinity, lowest: 0, greatest: 0 };
  const isRank = color.scale === 'rank';
  // Of counts the ranks tell the least and the greatest, too.
  const isRankOfCounts =
    isRank && heats.every((heat) => isHitCount(heat) && measureOf(heat, color.measure) === 'count');
  const extent = color.measure === 'density' ? valueScale(heats, yAxis) : someExtent;
  const all = heats.flatMap((heat): Array<Float32Array | Float64Array> => {
    if (heat.points) {
      // How much ink there is, who draws it knows.
      return [];
    }
    const measure = measureOf(heat, color.measure);
    if (measure === 'count' && !isRank && heat.extent && !heat.hides) {
      see(summary, Float64Array.of(heat.extent.least, heat.extent.most));
      return [];
    }
    if (isRankOfCounts) {
      return [hitsOf(heat)];
    }
    const values = valuesOf(heat, measure, extent);
    see(summary, values);
    return isRank ? [values] : [];
  });
  const ranks = isRank ? ranksOf(all) : undefined;
  if (isRankOfCounts && ranks!.some((value) => value > 0)) {
    see(summary, Float32Array.of(ranks![0], ranks![ranks!.length - 1]));
  }
  return { ...summary, ranks };
}

/** From here on it takes too long to look at all cells of series on the page's thread. */
const manyCells = 1 << 16;

/**
 * The values that a worker is to sum up for the ramp of series; undefined where
 * that need not be: they are few, a frame says what the ramp has to know, or
 * they have been read here anyway.
 */
export function valuesToSumUp(
  heats: Heat[],
  { measure, scale }: Options['color'],
  yAxis: Options['yAxis']
): Values | undefined {
  const cells = heats.reduce((sum, { wire }) => sum + (wire ? wire.columns * wire.rows : 0), 0);
  const ranked = scale === 'rank';
  if (cells < manyCells || !(ranked || measure !== 'count') || heats.some(({ wire, hides }) => !wire || hides)) {
    return undefined;
  }
  const extent = measure === 'density' ? valueScale(heats, yAxis) : someExtent;
  const heightsOf = ({ y }: Heat) => (measure === 'density' ? rowHeights(y, extent) : undefined);
  return { grids: heats.map((heat) => ({ grid: heat.wire!, heights: heightsOf(heat) })), measure, ranked };
}

/** The ramp of values. */
export function rampFrom(summary: Summary, { min, max, ...color }: Options['color']): Ramp {
  const { scale, steps, linearUpTo, midpoint } = color;
  const { lowest, greatest, ranks } = summary;
  // Of what is not over 0, a log scale has no place: it is the coldest.
  const least = Number.isFinite(summary.least) ? summary.least : 1;
  const startsOverZero = scale === 'log' || scale === 'rank';
  const ramp: Ramp = {
    min: min ?? (startsOverZero ? Math.min(least, greatest || least) : lowest),
    max: max ?? Math.max(greatest, least),
    scale,
    steps,
    ...(scale === 'symlog' && linearUpTo !== undefined && { linearUpTo }),
    ...(midpoint !== undefined && isDiverging(color.scheme) && { midpoint }),
    ...(ranks && { ranks }),
  };
  if (scale === 'log' && ramp.min <= 0) {
    ramp.min = least;
  }
  if (scale === 'log' && ramp.midpoint !== undefined && ramp.midpoint <= 0) {
    delete ramp.midpoint;
  }
  return ramp;
}

/** Whether the cells of a series are hits, of which none are hidden: all that is over 0 is there. */
const isHitCount = ({ rowNames, difference, hides }: Heat) => !rowNames && !difference && !hides;

function hitsOf({ counts }: Heat): Float32Array {
  const hits = new Float32Array(counts.length);
  for (let cell = 0; cell < hits.length; cell++) {
    hits[cell] = counts[cell] > 0 ? counts[cell] : NaN;
  }
  return hits;
}

/** For what does not depend on it. */
const someExtent: Extent = { kind: 'linear', min: 0, max: 1 };

/** Whether the colours of a scheme diverge from a middle. */
export const isDiverging = (name: string) => schemes.some((scheme) => scheme.diverging && scheme.name === name);

/** The numbers to draw: a cell that nothing is in is no cell. */
export function gridOf(heat: Heat, shown = heat.counts): Grid {
  const { x, y, xIsTime } = heat;
  const values = new Float32Array(shown.length);
  for (let cell = 0; cell < values.length; cell++) {
    values[cell] = isFilled(heat, cell) ? shown[cell] : NaN;
  }
  // Columns of time are numbered since the epoch, so that a live picture finds those that it has drawn.
  const at = xIsTime && x.from.length > 0 ? Math.round(x.from[0] / (x.to[0] - x.from[0])) : undefined;
  return { columns: x.from.length, rows: y.from.length, at, values };
}

/** Where the columns lie in device pixels, from the left. */
export function columnEdges(x: Bounds, scale: Scale): Edges {
  return edges(drawable(x, scale), (at) => toPixel(scale, at));
}

/** Where the rows lie in device pixels, from the top. */
export function rowEdges(y: Bounds, scale: Scale): Edges {
  return edges(drawable(y, scale), (value) => scale.length - toPixel(scale, value));
}

function edges({ from, to }: Bounds, place: (value: number) => number): Edges {
  const [a, b] = [Float32Array.from(from, place), Float32Array.from(to, place)];
  // Which of a cell's ends comes first depends on which way the axis runs.
  return { from: a.map((start, i) => Math.min(start, b[i])), to: a.map((start, i) => Math.max(start, b[i])) };
}

/**
 * The range to show. Live columns come in after the range was asked for: while
 * they stream, a range that ends now goes along with the newest. It goes by whole
 * pixels, so that columns that share pixels go on sharing the same: what was
 * drawn has only moved then. It may be ahead of the newest by less than a pixel.
 */
function shownRange(
  range: TimeRange,
  heats: Heat[],
  isStreaming: boolean,
  pixels: number | undefined
): AbsoluteTimeRange {
  const from = range.from.valueOf();
  const to = range.to.valueOf();
  const endsNow = range.raw.to === 'now';
  const newest = Math.max(...heats.map((heat) => heat.points?.newest ?? heat.x.to[heat.x.to.length - 1]));
  const late = isStreaming && endsNow ? Math.max(0, newest - to) : 0;
  const pixel = pixels === undefined ? late : (to - from) / pixels;
  const shift = pixel > 0 ? Math.ceil(late / pixel) * pixel : 0;
  return { from: from + shift, to: to + shift };
}
