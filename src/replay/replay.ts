import type { DataFrame } from '@grafana/data';
import { readHeats } from '../panel/frames';
import { bytesOf } from '../renderer';
import type { HeatProgram } from './program';
import { base64, NotSavedHeat, type SavedHeat } from './saved';

/** A range of time, in milliseconds. */
export interface Range {
  from: number;
  to: number;
}

/** Saved heat that is open: it can be looked at at any scale, and no back end is asked. Close it. */
export class Replay {
  readonly title: string;
  /** When it was saved, in milliseconds. */
  readonly saved: number;
  /** All of it. */
  readonly range: Range;
  private readonly series: Array<{ frame: DataFrame; number: number; step: number }>;

  /** Throws [NotSavedHeat], [MalformedFrame], [MalformedCells] or [ProgramError] for what can't be opened. */
  constructor(
    private readonly program: HeatProgram,
    { title, saved, frames }: SavedHeat
  ) {
    this.title = title;
    this.saved = saved;
    this.range = { from: Infinity, to: -Infinity };
    this.series = frames.flatMap((frame) => {
      const [{ wire, x }] = readHeats([frame], 1);
      const columns = x.from.length;
      if (typeof wire?.cells !== 'string') {
        throw new NotSavedHeat(`frame ${JSON.stringify(frame.name ?? '')} of the saved heat is no compact frame`);
      }
      if (columns === 0) {
        return [];
      }
      this.range.from = Math.min(this.range.from, x.from[0]);
      this.range.to = Math.max(this.range.to, x.to[columns - 1]);
      const step = x.to[0] - x.from[0];
      return [{ frame, step, number: program.open({ ...wire, start: x.from[0], step }, bytesOf(wire.cells)) }];
    });
    if (this.series.length === 0) {
      throw new NotSavedHeat('there is no hit in the saved heat');
    }
  }

  /** The heat in a range as compact frames, in columns that are as fine as they were saved, or as `most` of them have room. */
  show({ from, to }: Range, most: number): DataFrame[] {
    return this.series.map(({ frame, number, step }) => {
      const every = Math.max(1, Math.ceil((to - from) / step / Math.max(1, most)));
      const { start, columns, filled, least, most: greatest, cells } = this.program.cut(number, { from, to, every });
      const { compact } = frame.meta!.custom!;
      const cut = {
        ...compact,
        x: { start, step: every * step, columns },
        count: { ...compact.count, cells: filled, least, most: greatest },
      };
      return {
        ...frame,
        meta: { ...frame.meta, custom: { ...frame.meta!.custom, stepMs: every * step, compact: cut } },
        fields: frame.fields.map((field) => ({ ...field, values: [base64(cells)] })),
      };
    });
  }

  close() {
    this.program.close();
  }
}
