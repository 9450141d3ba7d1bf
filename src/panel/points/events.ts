import { type DataFrame, type Field, FieldType, getFieldDisplayName } from '@grafana/data';
import { maxPoints } from '../../renderer';
import type { Bounds } from '../bounds';
import { isExemplars } from '../exemplars';
import { MalformedFrame, nameOf, seriesName } from '../fields';
import { isHeatFrame } from '../frames';
import { type Heat, totalsOf } from '../heat';
import type { Options } from '../options';
import { cellOf } from '../scale';

/** Single measurements over time, in the order of their frame. */
export interface PointSeries {
  /** In milliseconds. */
  times: Float64Array;
  /** In the unit of the value axis. */
  values: Float64Array;
  /** How many hits each stands for. */
  weights: Float32Array;
  /** The time of the newest. */
  newest: number;
  /** What they are: single hits of a measurement point, or just numbers. */
  are: 'hits' | 'points';
  /** What else is said of point number i. */
  factsOf: (i: number) => Array<{ name: string; text: string }>;
}

/** Whether a frame has single hits, as pkg/frames/events.go makes them. Live frames lose their name, but not this. */
export const isEvents = ({ meta }: DataFrame) => meta?.custom?.events !== undefined;

/**
 * The frames that are drawn as points: single hits choose it by themselves
 * where there is no heat; others are when a user chooses it.
 */
export function pointFrames(frames: DataFrame[], { as }: Options['draw']): DataFrame[] {
  const events = frames.filter(isEvents);
  if (as === 'cells' || (as === 'auto' && frames.some(isHeatFrame))) {
    return [];
  }
  return events.length > 0 || as === 'auto'
    ? events
    : frames.filter(
        (frame) =>
          !isHeatFrame(frame) &&
          frame.fields.some(({ type }) => type === FieldType.time) &&
          frame.fields.some(({ type }) => type === FieldType.number)
      );
}

/**
 * Reads points: the first field of times is when, and each field of numbers a
 * series of its own, but for the one named `weight`: how many hits each point
 * stands for. Rows without a number are no points. As cells, which keys, the
 * table and histograms go by, they are counted in buckets of their values. It
 * throws [MalformedFrame].
 */
export function readPoints(frames: DataFrame[]): Heat[] {
  return frames.flatMap((frame) => {
    const time = frame.fields.find(({ type }) => type === FieldType.time)!;
    const weight = frame.fields.find(({ name, type }) => name === 'weight' && type === FieldType.number);
    const values = frame.fields.filter((field) => field.type === FieldType.number && field !== weight);
    const series = isExemplars(frame) ? values.slice(0, 1) : values;
    return series.map((field) => heatOf(frame, frames, time, field, weight));
  });
}

function heatOf(frame: DataFrame, frames: DataFrame[], time: Field, value: Field, weight?: Field): Heat {
  const rows: number[] = [];
  for (let i = 0; i < frame.length; i++) {
    if (Number.isFinite(value.values[i]) && Number.isFinite(time.values[i])) {
      const hits = weight?.values[i];
      if (weight && !(Number.isFinite(hits) && hits >= 0)) {
        throw new MalformedFrame(`${nameOf(frame)}: field weight, row ${i}: ${hits} is not a number of hits`);
      }
      rows.push(i);
    }
  }
  if (rows.length > maxPoints) {
    throw new MalformedFrame(`${nameOf(frame)} has ${rows.length} points, at most ${maxPoints} can be drawn`);
  }
  const others = frame.fields.filter((field) => field.type === FieldType.string && field !== value);
  const times = Float64Array.from(rows, (row) => time.values[row]);
  const points: PointSeries = {
    times,
    values: Float64Array.from(rows, (row) => value.values[row]),
    weights: Float32Array.from(rows, (row) => weight?.values[row] ?? 1),
    newest: times.reduce((latest, at) => Math.max(latest, at), -Infinity),
    are: isEvents(frame) ? 'hits' : 'points',
    factsOf: (i) =>
      others.flatMap((field) => {
        const text = field.values[rows[i]];
        return text ? [{ name: getFieldDisplayName(field, frame), text: String(text) }] : [];
      }),
  };
  return heatOfPoints(points, {
    name: isEvents(frame)
      ? getFieldDisplayName(value, frame)
      : seriesName(frame, value) || getFieldDisplayName(value, frame, frames),
    refId: frame.refId,
    xField: time,
    yField: value,
    countField: { ...value, name: 'count', config: {}, values: [] },
  });
}

/** Adds series up: all points of all of them in one. */
export function sumPoints(heats: Heat[], name: string): Heat {
  const all = heats.map((heat) => heat.points!);
  const join = (pick: (series: PointSeries) => ArrayLike<number>) => all.flatMap((series) => Array.from(pick(series)));
  const facts = heats.flatMap(({ name: of, points }) =>
    Array.from(points!.times, (_, i) => () => [{ name: 'Series', text: of }, ...points!.factsOf(i)])
  );
  const points: PointSeries = {
    times: Float64Array.from(join((series) => series.times)),
    values: Float64Array.from(join((series) => series.values)),
    weights: Float32Array.from(join((series) => series.weights)),
    newest: Math.max(...all.map((series) => series.newest)),
    are: all[0].are,
    factsOf: (i) => facts[i](),
  };
  return heats.length === 1 ? heats[0] : heatOfPoints(points, { ...heats[0], name });
}

/** Heat whose cells are counted when they are first asked for. */
function heatOfPoints(
  points: PointSeries,
  about: Pick<Heat, 'name' | 'refId' | 'xField' | 'yField' | 'countField'>
): Heat {
  const [x, y] = [columnsOf(points.times), bucketsOf(points.values)];
  let counted: { counts: Float64Array; totals: Float64Array } | undefined;
  const count = () => {
    if (!counted) {
      const counts = countPoints(points, x, y);
      counted = { counts, totals: totalsOf(counts, x.from.length, y.from.length) };
    }
    return counted;
  };
  const { name, refId, xField, yField, countField } = about;
  return Object.defineProperties(
    {
      ...{ name, refId, xField, yField, countField, x, y, points },
      xIsTime: true,
      isGrid: false,
      extent: { cells: points.times.length, least: 1, most: 1 },
      details: [],
    } as Omit<Heat, 'counts' | 'totals'>,
    {
      counts: { enumerable: true, get: () => count().counts },
      totals: { enumerable: true, get: () => count().totals },
    }
  ) as Heat;
}

function countPoints({ times, values, weights }: PointSeries, x: Bounds, y: Bounds): Float64Array {
  const counts = new Float64Array(x.from.length * y.from.length).fill(NaN);
  for (let i = 0; i < times.length; i++) {
    const cell = cellOf(x, times[i]) * y.from.length + cellOf(y, values[i]);
    counts[cell] = (counts[cell] || 0) + weights[i];
  }
  return counts;
}

/** About how many cells there are along an axis, at most. */
const mostCells = 120;

/** Columns of a length of time that can be said. */
function columnsOf(times: Float64Array): Bounds {
  return steps(times, [1, 2, 5, 10, 20, 50, 100, 200, 500, ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((s) => 1000 * s)]); // prettier-ignore
}

/**
 * Buckets of values: an eighth of an octave each, as those of durations are,
 * where values are of very different sizes; else equally high.
 */
function bucketsOf(values: Float64Array): Bounds {
  let [least, most, lowest] = [Infinity, 0, 0];
  for (const value of values) {
    least = value > 0 ? Math.min(least, value) : least;
    most = Math.max(most, value);
    lowest = Math.min(lowest, value);
  }
  if (lowest < 0 || !(most > 20 * least)) {
    return steps(values, []);
  }
  // From 2^(first / 8) to 2^(end / 8): no more than there can be, so that rows do not become too many.
  const first = Math.max(Math.floor(8 * Math.log2(least)), Math.floor(8 * Math.log2(most)) - 8 * 60);
  const end = Math.floor(8 * Math.log2(most)) + 1;
  const bounds = Array.from({ length: end - first + 1 }, (_, i) => 2 ** ((first + i) / 8));
  // What rounding leaves outside belongs to the ends.
  bounds[bounds.length - 1] = Math.max(bounds[bounds.length - 1], most * (1 + 2 ** -40));
  const hasLess = values.some((value) => value < bounds[0]);
  const all = hasLess ? [0, ...bounds] : bounds;
  return { from: Float64Array.from(all.slice(0, -1)), to: Float64Array.from(all.slice(1)) };
}

/** Cells of one size, one of those, or where none is large enough a 1, 2 or 5 with zeros. */
function steps(values: Float64Array, sizes: number[]): Bounds {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (!(most >= least)) {
    return { from: new Float64Array(), to: new Float64Array() };
  }
  const enough = Math.max(most - least, Math.abs(most) * 1e-9) / mostCells || 1 / mostCells;
  const power = 10 ** Math.floor(Math.log10(enough));
  const size = sizes.find((one) => one >= enough) ?? [1, 2, 5, 10].map((n) => n * power).find((one) => one >= enough)!;
  const first = Math.floor(least / size);
  const n = Math.floor(most / size) - first + 1;
  const from = Float64Array.from({ length: n }, (_, i) => (first + i) * size);
  const to = Float64Array.from({ length: n }, (_, i) => (first + i + 1) * size);
  from[0] = Math.min(from[0], least);
  to[n - 1] = Math.max(to[n - 1], most + Math.abs(most) * 1e-12);
  return { from, to };
}
