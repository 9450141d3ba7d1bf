import { dateTimeFormat, dateTimeForTimeZone, systemDateFormats } from '@grafana/data';
import { type Scale, toPixel } from './scale';

/** About how far apart two labels of the value axis are, in pixels. */
const labelHeight = 34;

/** The values to label on a value axis; powers of two, and multiples of them, where values are written so: in KiB and MiB. */
export function valueTicks(scale: Scale, isBinary = false): number[] {
  const most = Math.max(2, Math.floor(scale.length / labelHeight));
  if (isBinary) {
    return binaryTicks(scale, most);
  }
  return scale.log ? logTicks(scale, most) : linearTicks(scale, most);
}

function binaryTicks(scale: Scale, most: number): number[] {
  const { log, min, max } = scale;
  if (!log) {
    const step = 2 ** Math.ceil(Math.log2((max - min) / most));
    const first = Math.ceil(min / step);
    return Array.from({ length: Math.floor(max / step) - first + 1 }, (_, i) => (first + i) * step);
  }
  const [low, high] = [Math.ceil(Math.log2(min)), Math.floor(Math.log2(max))];
  const every = Math.max(1, Math.ceil((high - low + 1) / most));
  const first = Math.ceil(low / every) * every;
  return Array.from({ length: Math.floor((high - first) / every) + 1 }, (_, i) => 2 ** (first + i * every));
}

function linearTicks({ min, max }: Scale, most: number): number[] {
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
    const room = Math.min(...fine.slice(1).map((v, i) => toPixel(scale, v) - toPixel(scale, fine[i])));
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
