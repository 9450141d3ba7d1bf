import { type DataFrame, type DataFrameJSON, dataFrameToJSON, FieldType, type Labels } from '@grafana/data';
import { type Compact, compactOf, readCompact, rowsOf } from '../panel/compact';
import { type Heat, isEmpty } from '../panel/heat';
import { maxWireCells } from '../renderer';

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
  /** Compact frames: at least one, all of them with columns. */
  frames: DataFrame[];
}

/** How a file's name ends. */
export const extension = '.heat.json';

/** The largest file that is opened, in bytes. */
export const maxFile = 64 << 20;

/** The most series that a file may have, and the most cells of all of them together. */
export const maxSeries = 1000;
export const maxCells = 1 << 24;

/** A file is no saved heat, or heat is none that can be saved; the message says why. */
export class NotSavedHeat extends Error {}

/** Writes heat down. `press` writes counts as cells. Throws [NotSavedHeat] for what has no place in such a file. */
export function write(title: string, heats: Heat[], saved: Date, press: (counts: Float64Array) => Uint8Array): string {
  const filled = heats.filter((heat) => !isEmpty(heat));
  const frames = gather(filled, (heat) => compress(heat, press)).map((frame) => dataFrameToJSON(frame));
  return JSON.stringify({ gotherm: 'heat', version: 1, title, saved: saved.toISOString(), frames });
}

/** Opens a file. Throws [NotSavedHeat] or [MalformedFrame]. */
export async function open(file: File): Promise<SavedHeat> {
  if (file.size > maxFile) {
    throw new NotSavedHeat(`it has ${file.size} bytes, at most ${maxFile}`);
  }
  return read(await file.text());
}

/** Reads what [write] wrote. Throws [NotSavedHeat] or [MalformedFrame]. */
export function read(text: string): SavedHeat {
  let said: { gotherm?: unknown; version?: unknown; title?: unknown; saved?: unknown; frames?: unknown } | null;
  try {
    said = JSON.parse(text);
  } catch (error) {
    throw new NotSavedHeat(`it is no JSON, or cut off: ${(error as Error).message}`);
  }
  if (said?.gotherm !== 'heat') {
    throw new NotSavedHeat('it is no saved heat: field gotherm must be "heat"');
  }
  const { version, title, saved, frames } = said;
  if (version !== 1) {
    throw new NotSavedHeat(`field version is ${JSON.stringify(version)}, must be 1`);
  }
  if (typeof title !== 'string' || typeof saved !== 'string' || Number.isNaN(Date.parse(saved))) {
    throw new NotSavedHeat('fields title and saved must be a text and a time');
  }
  if (!Array.isArray(frames)) {
    throw new NotSavedHeat('field frames must be a list of frames');
  }
  return { title, saved: Date.parse(saved), frames: gather(frames, readFrame) };
}

/** Takes of a frame what is said of heat, and nothing else: a file may be from anybody. */
function readFrame(frame: Partial<DataFrameJSON> | null, i: number): DataFrame {
  const { name, meta, fields } = frame?.schema ?? {};
  const { labels, config } = fields?.[0] ?? {};
  const cells: unknown = frame?.data?.values?.[0]?.[0];
  const compact: unknown = meta?.custom?.compact;
  if (typeof compact !== 'object' || compact === null || typeof cells !== 'string') {
    throw new NotSavedHeat(`frames[${i}] is no compact frame`);
  }
  const shown = config?.displayNameFromDS || name || '';
  if ([shown, ...Object.values(labels ?? {})].some((text) => typeof text !== 'string')) {
    throw new NotSavedHeat(`frames[${i}]: its name and labels must be texts`);
  }
  const read = frameOf(shown, { ...labels }, compact as Compact, cells);
  readCompact(read);
  return read;
}

/** Frames of all that there is, one by one: no more is read or made than a file may have. */
function gather<T>(all: T[], make: (one: T, i: number) => DataFrame): DataFrame[] {
  if (all.length > maxSeries) {
    throw new NotSavedHeat(`it has ${all.length} series, at most ${maxSeries}`);
  }
  const frames: DataFrame[] = [];
  let cells = 0;
  for (const [i, one] of all.entries()) {
    const frame = make(one, i);
    const compact = compactOf(frame);
    cells += compact.x.columns * Math.max(1, rowsOf(compact));
    if (cells > maxCells) {
      throw new NotSavedHeat(`it has more than ${maxCells} cells`);
    }
    if (compact.x.columns > 0) {
      frames.push(frame);
    }
  }
  if (frames.length === 0) {
    throw new NotSavedHeat('there is no heat in it');
  }
  return frames;
}

/** The compact frame of heat over time. Gaps between columns and between rows are filled in. */
function compress(heat: Heat, press: (counts: Float64Array) => Uint8Array): DataFrame {
  const { name, x, y, countField, yField } = heat;
  const fail = (what: string): never => {
    throw new NotSavedHeat(`${name || 'The series'} can't be saved: ${what}`);
  };
  if (!heat.xIsTime || heat.rowNames || heat.isGrid) {
    fail('it is not heat over time');
  }
  const [start] = x.from;
  const step = x.to[0] - start;
  const columnOf = (time: number) => (time - start) / step;
  const bounds = [...new Set([...y.from, ...y.to])].sort((a, b) => a - b);
  const rowOf = new Map(bounds.map((bound, row) => [bound, row]));
  const isRegular = x.from.every((from, i) => Number.isInteger(columnOf(from)) && x.to[i] - from === step);
  if (!isRegular || !Number.isSafeInteger(step) || !Number.isSafeInteger(start) || start % step !== 0) {
    fail('its columns are not of one width in whole milliseconds, or do not begin at multiples of it');
  }
  if (y.from.some((from, row) => rowOf.get(y.to[row]) !== rowOf.get(from)! + 1) || bounds[0] === -Infinity) {
    fail('its rows overlap, or have no lower bound');
  }
  const columns = columnOf(x.from[x.from.length - 1]) + 1;
  const rows = bounds.length - 1;
  if (columns * rows > maxWireCells) {
    fail(`with its gaps it has ${columns} columns of ${rows} rows, at most ${maxWireCells} cells`);
  }
  const counts = new Float64Array(columns * rows).fill(NaN);
  const count = { cells: 0, least: Infinity, most: 0 };
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
    x: { start, step, columns },
    y: {
      unit: yField.config.unit ?? '',
      bounds: bounds.map((bound) => (bound === Infinity ? null : bound)),
      ordinal: heat.isOrdinal,
    },
    count,
  };
  return frameOf(name, countField.labels, compact, base64(press(counts)));
}

/** A compact frame. */
export const frameOf = (name: string, labels: Labels | undefined, compact: Compact, cells: string): DataFrame => ({
  name,
  length: 1,
  meta: { type: 'heatmap-cells' as never, custom: { stepMs: compact.x?.step, compact } },
  fields: [{ name: 'cells', type: FieldType.string, labels, config: { displayNameFromDS: name }, values: [cells] }],
});

/** Bytes as text. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
