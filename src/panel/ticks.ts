import { dateTimeFormat, dateTimeForTimeZone, systemDateFormats } from '@grafana/data';
import type { Bounds } from './bounds';
import { drawable, type Extent, isOpen, type Scale, toPixel } from './scale';

/** About how far apart two labels of the value axis are, in pixels. */
const labelHeight = 34;

/** A labelled place on an axis of numbers. */
export interface ValueTick {
  /** Where on the axis: see [placeOf]. */
  place: number;
  value: number;
}

/**
 * What to label on an axis of numbers: round values; powers of two, and
 * multiples of them, where values are written so: in KiB and MiB; and where
 * buckets are counted, the ends of buckets.
 */
export function valueTicks(scale: Scale, isBinary = false): ValueTick[] {
  const most = Math.max(2, Math.floor(scale.length / labelHeight));
  if (scale.order) {
    return ordinalTicks(scale, scale.order, most);
  }
  return roundValues(scale, most, isBinary).map((value) => ({ place: value, value }));
}

function roundValues(scale: Scale, most: number, isBinary: boolean): number[] {
  switch (scale.kind) {
    case 'log':
      return isBinary ? binaryPowers(scale, most) : logTicks(scale, most);
    case 'symlog':
      return symlogTicks(scale, most);
    default:
      return isBinary ? binaryTicks(scale, most) : linearTicks(scale, most);
  }
}

/** The lower end of the lowest bucket, and the upper ends of as many as have room. */
function ordinalTicks({ min, max }: Scale, { from, to }: Bounds, most: number): ValueTick[] {
  const ends = [from[0], ...to].map((value, place) => ({ place, value }));
  const every = Math.max(1, Math.ceil((max - min) / (1.4 * most)));
  return ends.filter(({ place }) => place % every === 0 && place >= min && place <= max);
}

function binaryTicks({ min, max }: Scale, most: number): number[] {
  const step = 2 ** Math.ceil(Math.log2((max - min) / most));
  const first = Math.ceil(min / step);
  return Array.from({ length: Math.floor(max / step) - first + 1 }, (_, i) => (first + i) * step);
}

function binaryPowers({ min, max }: Scale, most: number): number[] {
  const [low, high] = [Math.ceil(Math.log2(min)), Math.floor(Math.log2(max))];
  const every = Math.max(1, Math.ceil((high - low + 1) / most));
  const first = Math.ceil(low / every) * every;
  return Array.from({ length: Math.floor((high - first) / every) + 1 }, (_, i) => 2 ** (first + i * every));
}

/** Zero, and powers of ten on both its sides. */
function symlogTicks(scale: Scale, most: number): number[] {
  const { min, max, linearUpTo = 1 } = scale;
  const greatest = Math.max(Math.abs(min), Math.abs(max));
  const low = Math.floor(Math.log10(linearUpTo));
  const powers = Array.from({ length: Math.max(1, Math.floor(Math.log10(greatest)) - low + 1) }, (_, i) =>
    Number(`1e${low + i}`)
  );
  const apart = (a: number, b: number) => Math.abs(toPixel(scale, a) - toPixel(scale, b));
  for (let every = 1; every <= powers.length; every++) {
    // From the outside in: there is the room.
    const some = powers.filter((v, i) => (powers.length - 1 - i) % every === 0 && apart(v, 0) >= labelHeight / 2);
    const ticks = [...some.map((v) => -v).reverse(), 0, ...some].filter((v) => v >= min && v <= max);
    const room = Math.min(...ticks.slice(1).map((v, i) => apart(v, ticks[i])));
    if (ticks.length > 1 && ticks.length <= most && room >= labelHeight / 2) {
      return ticks;
    }
  }
  return linearTicks(scale, most);
}

function linearTicks({ min, max }: Extent, most: number): number[] {
  const rough = (max - min) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [0.5, 1, 2, 5, 10].map((m) => m * power);
  const wide = steps.findIndex((s, i) => i > 0 && s >= rough * 0.999);
  const count = (s: number) => Math.floor(max / s + 1e-9) - Math.ceil(min / s - 1e-9) + 1;
  const step = count(steps[wide]) > 1 ? steps[wide] : steps[wide - 1];
  const ticks = [];
  // Counted, not added up: adding would gather rounding errors.
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) {
    ticks.push(i === 0 ? 0 : Number((i * step).toPrecision(12)));
  }
  return ticks;
}

function logTicks(scale: Scale, most: number): number[] {
  const { min, max } = scale;
  const low = Math.floor(Math.log10(min));
  const high = Math.ceil(Math.log10(max));
  const within = (values: number[]) => values.filter((v) => v >= min * (1 - 1e-9) && v <= max * (1 + 1e-9));
  const decades = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const power = (mantissa: number, exponent: number) => Number(`${mantissa}e${exponent}`);
  for (const mantissas of [
    [1, 2, 5],
    [1, 3],
  ]) {
    const fine = within(decades.flatMap((exponent) => mantissas.map((mantissa) => power(mantissa, exponent))));
    const room = Math.min(...fine.slice(1).map((v, i) => Math.abs(toPixel(scale, v) - toPixel(scale, fine[i]))));
    if (fine.length > 1 && fine.length <= most && room >= labelHeight / 2) {
      return fine;
    }
  }
  for (let every = 1; every < decades.length; every++) {
    const coarse = within(decades.filter((exponent) => exponent % every === 0).map((exponent) => power(1, exponent)));
    if (coarse.length > 1 && coarse.length <= most) {
      return coarse;
    }
  }
  return linearTicks(scale, most);
}

/** A cell without an end, and where it is drawn. */
export interface OpenCell {
  from: number;
  to: number;
  text: '0' | '∞' | '-∞';
}

/**
 * The cells that are drawn narrower than they are: zero on a log scale, and
 * what is open to infinity. No number is written there: it would not be true.
 */
export function openCells(all: Bounds[], scale: Extent): OpenCell[] {
  const found = new Map<string, OpenCell>();
  if (scale.kind === 'ordinal') {
    return [];
  }
  for (const bounds of all) {
    const drawn = drawable(bounds, scale);
    bounds.from.forEach((low, i) => {
      const { below, above } = isOpen(bounds, i, scale.kind);
      if (below || above) {
        const text = above ? '∞' : low === -Infinity ? '-∞' : '0';
        const [from, to] = [Math.max(scale.min, drawn.from[i]), Math.min(scale.max, drawn.to[i])];
        if (to > from) {
          const other = found.get(text);
          found.set(text, { text, from: Math.min(from, other?.from ?? from), to: Math.max(to, other?.to ?? to) });
        }
      }
    });
  }
  return [...found.values()];
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const increments = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 4, 6, 8, 12].map((n) => n * hour),
  ...[1, 2, 4, 7, 14, 30, 60, 90, 180, 365].map((n) => n * day),
];

/** A labelled place on the time axis; `time` in milliseconds since the epoch. */
export interface TimeTick {
  time: number;
  text: string;
}

/** The times to label between two times on an axis where at most `most` labels have room. */
export function timeTicks(from: number, to: number, most: number, timeZone: string): TimeTick[] {
  const range = to - from;
  const rough = range / Math.max(1, most);
  const step = increments.find((increment) => increment >= rough) ?? 365 * day * Math.ceil(rough / (365 * day));
  const { interval } = systemDateFormats;
  const format =
    step < second
      ? interval.millisecond
      : step < minute
        ? interval.second
        : range <= day
          ? interval.minute
          : step < day
            ? interval.hour
            : step < 365 * day
              ? interval.day
              : interval.year;
  // Round on the wall clock of the time zone: noon is at noon, also in India.
  const offset = (time: number) => dateTimeForTimeZone(timeZone, time).utcOffset() * minute;
  const ticks: TimeTick[] = [];
  for (let wall = Math.ceil((from + offset(from)) / step) * step; ; wall += step) {
    const time = wall - offset(wall - offset(from));
    if (time > to) {
      return ticks;
    }
    if (time >= from) {
      ticks.push({ time, text: dateTimeFormat(time, { format, timeZone }) });
    }
  }
}
