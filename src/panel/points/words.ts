import { dateTimeFormat } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import type { Heat } from '../heat';
import type { Options } from '../options';
import { type CellWords, valueWriter, writeCount } from '../words';

/** Describes a point of a series. */
export function describePoint(
  heat: Heat,
  point: number,
  options: Pick<Options, 'yAxis'>,
  timeZone: TimeZone
): CellWords {
  const { times, values, weights, factsOf } = heat.points!;
  const weight = weights[point];
  return {
    series: heat.name,
    where: dateTimeFormat(times[point], { timeZone, format: 'YYYY-MM-DD HH:mm:ss.SSS' }),
    facts: [
      { name: 'Value', text: valueWriter(heat, options.yAxis)(values[point]) },
      ...(weight === 1 ? [] : [{ name: 'Stands for hits', text: writeCount(Math.round(weight * 100) / 100) }]),
      ...factsOf(point),
    ],
  };
}
