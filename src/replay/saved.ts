import { type DataFrame, type DataFrameJSON, dataFrameFromJSON, dataFrameToJSON, FieldType } from '@grafana/data';
import type { Heat } from '../panel/heat';

/**
 * A file of saved heat: JSON, whose frames are compact frames as our data
 * source sends them (pkg/frames/compact.go), one for each series.
 *
 *     {"gotherm": "heat", "version": 1, "title": "...", "saved": "2026-11-22T12:00:00Z", "frames": [...]}
 */
export interface SavedHeat {
  title: string;
  /** When it was saved, in milliseconds. */
  saved: number;
  /** Compact frames. */
  frames: DataFrame[];
}

/** How a file's name ends. */
export const extension = '.heat.json';

/** The largest file that is opened, in bytes. */
export const maxFile = 64 << 20;

/** Text is not saved heat; the message says what is wrong with it. */
export class NotSavedHeat extends Error {}

/** Writes heat down. `press` writes counts as cells. Throws [NotSavedHeat] for what has no place in such a file. */
export function write(
  title: string,
  heats: Heat[],
  saved: number,
  press: (counts: Float64Array) => Uint8Array
): string {
  const frames: DataFrameJSON[] = heats.map((heat) => dataFrameToJSON(frameOf(heat, press)));
  return JSON.stringify({ gotherm: 'heat', version: 1, title, saved: new Date(saved).toISOString(), frames });
}

/** Reads what [write] wrote. Throws [NotSavedHeat]. */
export function read(text: string): SavedHeat {
  const fail = (what: string): never => {
    throw new NotSavedHeat(`This is no saved heat: ${what}`);
  };
  if (text.length > maxFile) {
    fail(`it has ${text.length} characters, at most ${maxFile}`);
  }
  let said: { gotherm?: unknown; version?: unknown; title?: unknown; saved?: unknown; frames?: unknown } | null = null;
  try {
    said = JSON.parse(text);
  } catch (error) {
    fail((error as Error).message);
  }
  if (said?.gotherm !== 'heat') {
    fail('field gotherm must be "heat"');
  }
  const { version, title, saved, frames } = said!;
  if (version !== 1) {
    fail(`field version is ${JSON.stringify(version)}, must be 1`);
  }
  if (typeof title !== 'string' || typeof saved !== 'string' || Number.isNaN(Date.parse(saved))) {
    fail('fields title and saved must be a text and a time');
  }
  if (!Array.isArray(frames) || frames.length === 0) {
    fail('field frames must be a list of frames');
  }
  const read = (frames as DataFrameJSON[]).map((frame, i) => {
    if (!Array.isArray(frame?.schema?.fields) || !Array.isArray(frame.data?.values)) {
      fail(`frames[${i}] is no data frame`);
    }
    return dataFrameFromJSON(frame);
  });
  return { title: title as string, saved: Date.parse(saved as string), frames: read };
}

/** The compact frame of heat over time. Gaps between columns and between rows are filled in. */
function frameOf(heat: Heat, press: (counts: Float64Array) => Uint8Array): DataFrame {
  const { name, x, y, countField, yField } = heat;
  const fail = (what: string): never => {
    throw new NotSavedHeat(`${name || 'The series'} can't be saved: ${what}`);
  };
  if (!heat.xIsTime || heat.rowNames || heat.isGrid) {
    fail('it is not heat over time');
  }
  const step = x.to[0] - x.from[0];
  const columnOf = (time: number) => (time - x.from[0]) / step;
  const bounds = [...new Set([...y.from, ...y.to])].sort((a, b) => a - b);
  const rowOf = new Map(bounds.map((bound, row) => [bound, row]));
  const wholeColumns = x.from.every((start, i) => Number.isInteger(columnOf(start)) && x.to[i] - start === step);
  if (!wholeColumns || !Number.isSafeInteger(x.from[0]) || !Number.isSafeInteger(step)) {
    fail('its columns are not all of the same width of whole milliseconds');
  }
  if (y.from.some((from, row) => rowOf.get(y.to[row]) !== rowOf.get(from)! + 1) || bounds[0] === -Infinity) {
    fail('its rows overlap, or have no lower bound');
  }
  const columns = columnOf(x.from[x.from.length - 1]) + 1;
  const rows = bounds.length - 1;
  const counts = new Float64Array(columns * rows).fill(NaN);
  const count = { unit: 'short', cells: 0, least: Infinity, most: 0 };
  heat.counts.forEach((n, cell) => {
    if (n > 0) {
      const column = Math.floor(cell / y.from.length);
      counts[columnOf(x.from[column]) * rows + rowOf.get(y.from[cell - column * y.from.length])!] = n;
      count.cells++;
      count.least = Math.min(count.least, n);
      count.most = Math.max(count.most, n);
    }
  });
  const compact = {
    version: 1,
    x: { start: x.from[0], step, columns },
    y: { unit: yField.config.unit ?? '', bounds: bounds.map((bound) => (bound === Infinity ? null : bound)) },
    count: { ...count, least: count.cells > 0 ? count.least : 0 },
  };
  const cells = press(counts);
  return {
    name,
    length: 1,
    meta: { type: 'heatmap-cells' as never, custom: { stepMs: step, compact } },
    fields: [
      {
        name: 'cells',
        type: FieldType.string,
        labels: countField.labels,
        config: { displayNameFromDS: name },
        values: [base64(cells)],
      },
    ],
  };
}

/** Bytes as text. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
