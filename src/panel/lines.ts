import {
  type DataFrame,
  type Field,
  FieldType,
  formattedValueToString,
  getFieldDisplayName,
  getValueFormat,
  type Labels,
} from '@grafana/data';
import type { Heat } from './heat';
import { isExemplars } from './exemplars';

/** A series of numbers over time that is drawn over heat: a percentile, a rate. */
export interface Line {
  name: string;
  labels: Labels;
  unit?: string;
  /** In milliseconds, ascending. */
  times: number[];
  /** Where one is not a finite number the line is broken. */
  values: Array<number | null>;
  /** Where the axis has names and no values, it is drawn from 0 at the bottom to this at the top. */
  top?: number;
  /** Why it is not drawn; undefined where it is. */
  problem?: string;
}

/** The lines in frames: each field of numbers beside one of times, in frames that are no heat. */
export function readLines(frames: DataFrame[], isHeat: (frame: DataFrame) => boolean): Line[] {
  return frames
    .filter((frame) => !isHeat(frame) && !isExemplars(frame))
    .flatMap((frame) => {
      const times = frame.fields.find((field) => field.type === FieldType.time);
      return times
        ? frame.fields.filter((f) => f.type === FieldType.number).map((field) => lineOf(frame, field, times, frames))
        : [];
    });
}

function lineOf(frame: DataFrame, field: Field, times: Field, frames: DataFrame[]): Line {
  return {
    name: getFieldDisplayName(field, frame, frames),
    labels: field.labels ?? {},
    unit: field.config.unit,
    times: times.values,
    values: field.values,
  };
}

/**
 * The lines that belong over a series: those that no label says are of another
 * one. A line in another unit than the axis has is said not to be drawn: its
 * place on the axis would mean nothing. Over rows with names each has its own scale.
 */
export function linesOver(lines: Line[], { countField, yField, rowNames, xIsTime }: Heat, axisUnit?: string): Line[] {
  if (!xIsTime) {
    return [];
  }
  if (rowNames) {
    return lines.map((line) => ({ ...line, top: greatest(line.values) }));
  }
  const labels = countField.labels ?? {};
  const unit = axisUnit || yField.config.unit;
  return lines
    .filter((line) => Object.entries(line.labels).every(([name, value]) => (labels[name] ?? value) === value))
    .map((line) =>
      !line.unit || !unit || line.unit === unit
        ? line
        : { ...line, problem: `its unit is ${line.unit}, the axis has ${unit}` }
    );
}

const greatest = (values: Line['values']) =>
  values.reduce<number>((most, value) => Math.max(most, Number.isFinite(value) ? value! : 0), 0) || 1;

/** What a value of a line is in words, in its own unit. */
export const wordsOf = ({ unit }: Line, value: number) => formattedValueToString(getValueFormat(unit)(value));

/** The value of a line that was the newest at a time; undefined where there was none. */
export function valueAt({ times, values }: Line, time: number): number | undefined {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const value = low > 0 ? values[low - 1] : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** The SVG path of a line, broken where there is no value. `x` and `y` give pixels. */
export function pathOf({ times, values }: Line, x: (time: number) => number, y: (value: number) => number): string {
  let path = '';
  let isDrawing = false;
  values.forEach((value, i) => {
    const [left, top] = typeof value === 'number' ? [x(times[i]), y(value)] : [NaN, NaN];
    if (Number.isFinite(left) && Number.isFinite(top)) {
      path += `${isDrawing ? 'L' : 'M'}${left.toFixed(1)} ${top.toFixed(1)}`;
      isDrawing = true;
    } else {
      isDrawing = false;
    }
  });
  return path;
}
