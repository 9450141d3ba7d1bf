import {
  type AbsoluteTimeRange,
  dateTimeFormat,
  type DecimalCount,
  formattedValueToString,
  getValueFormat,
  type ValueFormatter,
} from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { cellAt, type DifferenceCells, Enclosure, type Heat } from './heat';
import type { Options } from './options';

/** How values of an axis are written. */
export type Writer = (value: number) => string;

/** Writes values of the value axis in the unit that the options, else the frame, say. */
export function valueWriter(heat: Heat, options: Options['yAxis']): Writer {
  return writerOf(options.unit || heat.yField.config.unit, options.decimals ?? heat.yField.config.decimals);
}

/** Writes values of an axis of numbers in the unit that the options, else the frame, say. */
export function columnWriter({ xField, isGrid }: Heat, options?: Options['xAxis']): Writer {
  const { unit, decimals } = xField.config;
  return isGrid ? String : writerOf(options?.unit || unit, options?.decimals ?? decimals);
}

/** Writes values in a unit. */
export function writerOf(unit = 'short', decimals?: DecimalCount): Writer {
  const format: ValueFormatter = getValueFormat(unit);
  return (value) =>
    Number.isFinite(value) ? formattedValueToString(format(value, decimals)) : value < 0 ? '-∞' : '+∞';
}

/** Writes what is in a cell, in short for a legend: counts, or values in their unit. */
export function heatWriter({ rowNames, difference, countField: { config } }: Heat, options: Options['yAxis']): Writer {
  if (difference) {
    return writeDifference(writerOf(config.unit));
  }
  return rowNames ? writerOf(options.unit || config.unit, options.decimals ?? config.decimals) : writeRoundCount;
}

/** Writes what is more with a plus: it is the sign that a difference is about. */
const writeDifference =
  (write: Writer): Writer =>
  (value) =>
    value > 0 ? `+${write(value)}` : write(value);

/** Writes counts in full: they are the data. */
export const writeCount: Writer = (count) => formattedValueToString(getValueFormat('none')(count));

/** Writes counts in short, for a legend: a density of 8 is not 8.00 for being a quotient. */
const writeRoundCount: Writer = (count) =>
  formattedValueToString(getValueFormat('short')(Number(count.toPrecision(6))));

/** What there is to say of one cell. */
export interface CellWords {
  series: string;
  /** The time that its column covers, or which cell it is. */
  where: string;
  facts: Array<{ name: string; text: string }>;
}

/** Describes the cell at a column and row; an empty one has count 0. */
export function describe(
  heat: Heat,
  column: number,
  row: number,
  options: Pick<Options, 'xAxis' | 'yAxis'>,
  timeZone: TimeZone
): CellWords {
  const cell = cellAt(heat, column, row);
  const count = Number.isNaN(heat.counts[cell]) ? 0 : heat.counts[cell];
  const range = { from: heat.x.from[column], to: heat.x.to[column] };
  if (heat.rowNames) {
    const text = Number.isNaN(heat.counts[cell]) ? 'none' : heatWriter(heat, options.yAxis)(count);
    return {
      series: heat.rowNames[row],
      where: describeColumn(heat, range, options.xAxis, timeZone),
      facts: [{ name: 'Value', text }],
    };
  }
  if (heat.difference) {
    return {
      series: heat.name,
      where: describeColumn(heat, range, options.xAxis, timeZone),
      facts: [
        describeRow(heat, column, row, valueWriter(heat, options.yAxis)),
        ...describeDifference(heat, heat.difference, cell),
      ],
    };
  }
  return {
    series: heat.name,
    where: heat.isGrid ? `Cell ${column}, ${row}` : describeColumn(heat, range, options.xAxis, timeZone),
    facts: [
      ...(heat.isGrid ? [] : [describeRow(heat, column, row, valueWriter(heat, options.yAxis))]),
      { name: 'Count', text: writeCount(count) },
      heat.isGrid
        ? { name: 'Share of grid', text: share(count, sum(heat.totals)) }
        : { name: 'Share of column', text: share(count, heat.totals[column]) },
      ...heat.details.flatMap(({ name, texts }) => {
        const text = texts.get(cell);
        return text ? [{ name, text }] : [];
      }),
    ],
  };
}

/** The sides of a difference, what is between them, and how sure it is. The baseline comes first. */
function describeDifference(heat: Heat, { baseline, candidate, q, muted }: DifferenceCells, cell: number) {
  const write = writerOf(heat.countField.config.unit, 3);
  return [
    { name: 'Baseline', text: write(baseline[cell]) },
    { name: 'Candidate', text: write(candidate[cell]) },
    { name: 'Difference', text: writeDifference(write)(heat.counts[cell]) },
    { name: 'q', text: q[cell] < 0.001 ? '< 0.001' : q[cell].toFixed(3) },
    { name: 'Significant', text: muted[cell] ? 'no' : 'yes' },
  ];
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

const share = (count: number, total: number) =>
  formattedValueToString(getValueFormat('percentunit')(total > 0 ? count / total : 0, 2));

function describeColumn(heat: Heat, range: AbsoluteTimeRange, options: Options['xAxis'], timeZone: TimeZone): string {
  const write = columnWriter(heat, options);
  return heat.xIsTime ? describeTimes(range, timeZone) : `${write(range.from)} – ${write(range.to)}`;
}

/** A row is a bucket; or a number, when it reaches from a half below it to a half above. */
function describeRow(heat: Heat, column: number, row: number, write: Writer) {
  const [from, to] = [heat.y.from[row], heat.y.to[row]];
  const middle = (from + to) / 2;
  if (to - from === 1 && Number.isInteger(middle)) {
    return { name: heat.yField.config.displayNameFromDS ?? heat.yField.name, text: String(middle) };
  }
  const [left, right] = brackets(heat, cellAt(heat, column, row));
  return { name: 'Bucket', text: `${left}${write(from)}, ${write(to)}${right}` };
}

function brackets(heat: Heat, cell: number): [string, string] {
  switch (heat.enclosures?.[cell]) {
    case Enclosure.OpenLeft:
      return ['(', ']'];
    case Enclosure.Open:
      return ['(', ')'];
    case Enclosure.Closed:
      return ['[', ']'];
    default:
      return ['[', ')'];
  }
}

/** Writes a range of time, the date of its end only where it is another. */
export function describeTimes({ from, to }: AbsoluteTimeRange, timeZone: TimeZone): string {
  const fraction = from % 1000 !== 0 || to % 1000 !== 0 ? '.SSS' : '';
  const date = (time: number) => dateTimeFormat(time, { format: 'YYYY-MM-DD', timeZone });
  const clock = (time: number) => dateTimeFormat(time, { format: `HH:mm:ss${fraction}`, timeZone });
  const end = date(from) === date(to) ? clock(to) : `${date(to)} ${clock(to)}`;
  return `${date(from)} ${clock(from)} – ${end}`;
}

/** The same in one sentence, to be read aloud. */
export function sayCell({ series, where, facts }: CellWords): string {
  return [series, where, ...facts.map(({ name, text }) => `${name} ${text}`)].filter(Boolean).join(', ');
}
