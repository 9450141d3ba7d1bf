import { type DataFrame, FieldType } from '@grafana/data';
import { MalformedFrame, nameOf, need } from './fields';
import { type GridGoroutine, type Heat, totalsOf } from './heat';

/** What the back end says of a goroutine grid in meta.custom. */
interface GridMeta {
  side?: number;
  carried?: number;
  hits?: number;
}

/**
 * Reads the goroutine grid: `x` and `y` are cells of a square that goroutines
 * fall in by the hash of their id, `count` the hits there, and `goroutines` a
 * few of the goroutines in each cell. It is made of carried hits only: where
 * there were more, its name says how many it shows.
 */
export function readGrid(frame: DataFrame): Heat {
  const x = need(frame, ['x'], [FieldType.number]);
  const y = need(frame, ['y'], [FieldType.number]);
  const countField = need(frame, ['count'], [FieldType.number]);
  const { side, carried, hits }: GridMeta = frame.meta?.custom ?? {};
  if (side !== 256 && side !== 512 && side !== 1024) {
    throw new MalformedFrame(`${nameOf(frame)}: meta.custom.side is ${side}, must be 256, 512 or 1024`);
  }
  const from = Float64Array.from({ length: side }, (_, i) => i);
  const bounds = { from, to: from.map((value) => value + 1) };
  const counts = new Float64Array(side * side).fill(NaN);
  const hottest = new Map<number, string>();
  const goroutines = new Map<number, GridGoroutine[]>();
  const goroutineField = frame.fields.find((field) => field.name === 'goroutines');
  for (let i = 0; i < frame.length; i++) {
    for (const field of [x, y]) {
      const at = field.values[i];
      if (!(Number.isInteger(at) && at >= 0 && at < side)) {
        throw new MalformedFrame(
          `${nameOf(frame)}: field ${field.name}, row ${i}: ${at} is not a cell of 0 to ${side - 1}`
        );
      }
    }
    const count = countField.values[i];
    if (!Number.isFinite(count) || count < 0) {
      throw new MalformedFrame(`${nameOf(frame)}: field count, row ${i}: ${count} is not a count`);
    }
    const cell = x.values[i] * side + y.values[i];
    counts[cell] = count;
    const named = (goroutineField?.values[i] ?? []) as GridGoroutine[];
    goroutines.set(cell, named);
    hottest.set(
      cell,
      named.map((g) => `goroutine ${[g.goid, g.function, g.label].filter(Boolean).join(' ')}: ${g.count}`).join('\n')
    );
  }
  const part = hits !== undefined && carried !== undefined && carried < hits ? `, ${carried} of ${hits} hits` : '';
  return {
    name: `${frame.name ?? 'goroutines'}${part}`,
    x: bounds,
    y: bounds,
    xIsTime: false,
    isGrid: true,
    counts,
    totals: totalsOf(counts, side, side),
    xField: x,
    yField: y,
    countField,
    goroutines,
    details: [{ name: 'Hottest', texts: hottest }],
  };
}
