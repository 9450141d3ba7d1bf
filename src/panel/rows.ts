import { type DataFrame, type Field, FieldType, getFieldDisplayName } from '@grafana/data';
import { type Bounds, positions } from './bounds';
import { MalformedFrame, nameOf, numbers } from './fields';
import { Enclosure, type Heat, maxCells, totalsOf } from './heat';

/**
 * Reads a frame with a field of times, which are the ends of columns, and a
 * field of numbers for each row. Null is no cell.
 *
 *  - Gauges: rows have names, and a number may be 0.
 *  - Buckets of a Prometheus histogram, where each field has the label `le`, its
 *    upper bound, and these ascend: hits of each bucket alone, as Grafana's
 *    Prometheus data source gives them.
 */
export function readRows(frame: DataFrame, columnWidth: number): Heat[] {
  const xField = frame.fields.find((field) => field.type === FieldType.time);
  const fields = frame.fields.filter((field) => field.type === FieldType.number);
  if (!xField || fields.length === 0) {
    return [];
  }
  const x = positions(numbers(frame, xField, false), 'Max', Number(xField.config.interval) || 0, columnWidth);
  const columns = x.bounds.from.length;
  const rows = fields.length;
  if (columns * rows > maxCells) {
    throw new MalformedFrame(
      `${nameOf(frame)} has ${columns} columns of ${rows} rows: ${columns * rows} cells, at most ${maxCells} can be drawn`
    );
  }
  const counts = new Float64Array(columns * rows).fill(NaN);
  const odd = fields.find((field) => field.values.length !== xField.values.length);
  if (odd) {
    throw new MalformedFrame(
      `${nameOf(frame)}: field ${odd.name} has ${odd.values.length} values, ${xField.name} has ${xField.values.length}`
    );
  }
  fields.forEach((field, row) =>
    field.values.forEach((value: number | null | undefined, i) => {
      if (value === null || value === undefined) {
        return;
      }
      if (!Number.isFinite(value)) {
        throw new MalformedFrame(`${nameOf(frame)}: field ${field.name}, row ${i}: ${value} is not a number`);
      }
      counts[x.index[i] * rows + row] = value;
    })
  );
  const cells = { x: x.bounds, xIsTime: true, isGrid: false, counts, totals: totalsOf(counts, columns, rows), xField };
  const buckets = bucketsOf(fields);
  return [buckets ? { ...cells, ...classic(fields, buckets, columns) } : { ...cells, ...named(frame, fields) }];
}

type Rows = Pick<Heat, 'name' | 'y' | 'rowNames' | 'yField' | 'countField' | 'isOrdinal' | 'enclosures' | 'details'>;

function named(frame: DataFrame, fields: Field[]): Rows {
  const from = Float64Array.from(fields, (_, row) => row);
  return {
    name: frame.name ?? '',
    y: { from, to: from.map((row) => row + 1) },
    rowNames: fields.map((field) => getFieldDisplayName(field, frame)),
    yField: fields[0],
    countField: fields[0],
    details: [],
  };
}

/**
 * The buckets that labels `le` say. The lowest one begins at zero, where it ends
 * over it: what is measured in buckets is durations and sizes.
 */
function bucketsOf(fields: Field[]): Bounds | undefined {
  const to = Float64Array.from(fields, ({ labels }) => readBound(labels?.le));
  if (to.some((bound, row) => Number.isNaN(bound) || (row > 0 && bound <= to[row - 1]))) {
    return undefined;
  }
  return { from: Float64Array.from(to, (_, row) => to[row - 1] ?? (to[0] > 0 ? 0 : -Infinity)), to };
}

function readBound(le: string | undefined): number {
  const infinity = /^([+-]?)inf$/i.exec(le ?? '');
  return infinity ? Number(`${infinity[1]}Infinity`) : le?.trim() ? Number(le) : NaN;
}

function classic(fields: Field[], y: Bounds, columns: number): Rows {
  const { le: _, ...labels } = fields[0].labels ?? {};
  const column = Array.from(y.to, (to, row) =>
    y.from[row] === 0 && row === 0 ? Enclosure.Closed : to === Infinity ? Enclosure.Open : Enclosure.OpenLeft
  );
  return {
    // Each field is named after its bucket, and the frame after the first.
    name: Object.entries(labels)
      .map(([label, value]) => `${label}=${value || '(none)'}`)
      .join(', '),
    y,
    isOrdinal: true,
    // What is said of the fields is said of counts.
    yField: { name: 'le', type: FieldType.number, config: {}, values: [] },
    countField: { ...fields[0], name: 'count', config: { ...fields[0].config, displayNameFromDS: undefined }, labels },
    enclosures: Int8Array.from({ length: columns * column.length }, (_value, cell) => column[cell % column.length]),
    details: [],
  };
}
