import { type DataFrame, DataFrameType, FieldType, getFieldDisplayName } from '@grafana/data';
import { type Indexed, intervals, positions } from './bounds';
import { goOn, isCompact, readCompact, streamOf, streamsOf } from './compact';
import { find, firstNumber, MalformedFrame, nameOf, need, numbers, seriesName } from './fields';
import { readGrid } from './grid';
import { type Heat, maxCells, totalsOf } from './heat';
import { readRows } from './rows';

const sparse = ['xMax', 'yMin', 'yMax', 'count'];
const xNames = ['x', 'xMin', 'xMax'];
const yNames = ['y', 'yMin', 'yMax'];

/**
 * Reads the heat in frames: each frame of type heatmap-cells is one series.
 *
 *  - compact, as our data source gives them to this panel: see [readCompact].
 *    The plain frame of its stream goes on with it.
 *  - sparse, as Prometheus native histograms come: `xMax` (the end of a
 *    column), `yMin` and `yMax` (the bounds of a bucket), `count`, and perhaps
 *    `yLayout`. A cell that is said twice, as when a live column completes an
 *    earlier reading of it, counts as it was said last.
 *  - dense: one of `x`, `xMin`, `xMax`, one of `y`, `yMin`, `yMax`, and the
 *    first other number. Cells may be left out.
 *  - where there are both `xMin` and `xMax`, columns are what lies between them.
 *
 * A frame of type goroutine-grid is one, too: see [readGrid]; and one of type
 * heatmap-rows: see [readRows].
 *
 * `columnWidth`, in milliseconds, is used for a frame that has only one column
 * and does not say how wide it is. It throws [MalformedFrame].
 */
export function readHeats(frames: DataFrame[], columnWidth: number): Heat[] {
  const streams = streamsOf(frames);
  const readFrame = (frame: DataFrame): Heat[] => {
    const stream = streams.get(streamOf(frame) ?? '');
    if (isCompact(frame)) {
      const history = readCompact(frame);
      return [stream ? goOn(history, readHeat(stream, columnWidth)) : history];
    }
    if (stream) {
      return [];
    }
    if (isGrid(frame)) {
      return [readGrid(frame)];
    }
    if (isRows(frame)) {
      return readRows(frame, columnWidth);
    }
    return isHeat(frame) ? [readHeat(frame, columnWidth)] : [];
  };
  const heats = frames.flatMap((frame) => {
    const found = readFrame(frame);
    found.forEach((heat) => (heat.refId = frame.refId));
    return found;
  });
  if (heats.length === 0 && frames.some((frame) => frame.fields.length > 0 && !isRows(frame))) {
    const found = frames.map(
      (f) => `${nameOf(f)} has ${f.fields.map((field) => field.name).join(', ') || 'no fields'}`
    );
    throw new MalformedFrame(
      `no heatmap: ${found.join('; ')}; needed are ${sparse.join(', ')}, or the transformation "Create heatmap"`
    );
  }
  return heats;
}

/** Whether a frame is heat of any kind, and not a series or a table beside it. */
export function isHeatFrame(frame: DataFrame): boolean {
  const type = frame.meta?.type as string | undefined;
  return type === 'heat-difference' || isCompact(frame) || isGrid(frame) || isRows(frame) || isHeat(frame);
}

function isHeat(frame: DataFrame): boolean {
  return frame.meta?.type === DataFrameType.HeatmapCells || sparse.every((name) => find(frame, [name]));
}

const isRows = (frame: DataFrame) => frame.meta?.type === DataFrameType.HeatmapRows;

const isGrid = (frame: DataFrame) => (frame.meta?.type as string | undefined) === 'goroutine-grid';

function readHeat(frame: DataFrame, columnWidth: number): Heat {
  const xFields = ['xMin', 'xMax'].flatMap((name) => find(frame, [name]) ?? []);
  const isBinned = xFields.length === 2;
  const xField = isBinned
    ? need(frame, ['xMin'], [FieldType.number])
    : need(frame, xNames, [FieldType.time, FieldType.number]);
  const isSparse = find(frame, ['yMin']) !== undefined && find(frame, ['yMax']) !== undefined;
  const yFields = isSparse
    ? [need(frame, ['yMin'], [FieldType.number]), need(frame, ['yMax'], [FieldType.number])]
    : [need(frame, yNames, [FieldType.number])];
  const countField = isSparse ? need(frame, ['count'], [FieldType.number]) : firstNumber(frame, [xField, ...yFields]);
  const layout = frame.fields.find((field) => field.name === 'yLayout');
  for (const field of frame.fields) {
    if (field.values.length !== xField.values.length) {
      throw new MalformedFrame(
        `${nameOf(frame)}: field ${field.name} has ${field.values.length} values, ${xField.name} has ${xField.values.length}`
      );
    }
  }

  const xs = numbers(frame, xField, isBinned);
  const ys = yFields.map((field) => numbers(frame, field, isSparse));

  const x = isBinned
    ? between(frame, 'x', xs, numbers(frame, need(frame, ['xMax'], [FieldType.number]), true))
    : positions(xs, xField.name.slice(1), Number(xField.config.interval) || 0, columnWidth);
  const y = isSparse ? between(frame, 'y', ys[0], ys[1]) : positions(ys[0], yFields[0].name.slice(1), 0, 1);

  const columns = x.bounds.from.length;
  const rows = y.bounds.from.length;
  if (columns * rows > maxCells) {
    throw new MalformedFrame(
      `${nameOf(frame)} has ${columns} columns of ${rows} rows: ${columns * rows} cells, at most ${maxCells} can be drawn`
    );
  }
  const counts = new Float64Array(columns * rows).fill(NaN);
  const enclosures = layout && new Int8Array(columns * rows);
  const details = frame.fields
    .filter((field) => field.type === FieldType.string)
    .map((field) => ({ field, name: getFieldDisplayName(field, frame), texts: new Map<number, string>() }));
  for (let i = 0; i < xs.length; i++) {
    const count = countField.values[i] as number | null | undefined;
    if (count === null || count === undefined) {
      continue;
    }
    if (!Number.isFinite(count) || count < 0) {
      throw new MalformedFrame(`${nameOf(frame)}: field ${countField.name}, row ${i}: ${count} is not a count`);
    }
    const cell = x.index[i] * rows + y.index[i];
    counts[cell] = count;
    if (enclosures) {
      enclosures[cell] = layout.values[i];
    }
    for (const { field, texts } of details) {
      if (field.values[i]) {
        texts.set(cell, field.values[i]);
      }
    }
  }
  return {
    name: seriesName(frame, countField),
    x: x.bounds,
    y: y.bounds,
    xIsTime: xField.type === FieldType.time,
    isGrid: false,
    counts,
    totals: totalsOf(counts, columns, rows),
    xField,
    yField: yFields[yFields.length - 1],
    countField,
    enclosures,
    details: details.map(({ name, texts }) => ({ name, texts })),
  };
}

/** The cells between the bounds of an axis, x or y. */
function between(frame: DataFrame, axis: string, from: Float64Array, to: Float64Array): Indexed {
  const wrong = from.findIndex((low, i) => !(low < to[i]));
  if (wrong >= 0) {
    throw new MalformedFrame(
      `${nameOf(frame)}: field ${axis}Max, row ${wrong}: ${to[wrong]} is not over ${axis}Min, which is ${from[wrong]}`
    );
  }
  return intervals(from, to);
}
