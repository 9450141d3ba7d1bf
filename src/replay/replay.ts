import type { DataFrame } from '@grafana/data';
import { compactOf, rowsOf } from '../panel/compact';
import { bytesOf } from '../renderer';
import type { HeatProgram } from './program';
import { base64, frameOf, type SavedHeat } from './saved';

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
  private readonly series: Array<{ frame: DataFrame; number: number }>;

  /** Throws [MalformedCells] or [ProgramError] for what can't be opened. */
  constructor(
    private readonly program: HeatProgram,
    { title, saved, frames }: SavedHeat
  ) {
    this.title = title;
    this.saved = saved;
    this.range = { from: Infinity, to: -Infinity };
    this.series = frames.map((frame) => {
      const compact = compactOf(frame);
      const { start, step, columns } = compact.x;
      this.range.from = Math.min(this.range.from, start);
      this.range.to = Math.max(this.range.to, start + columns * step);
      const cells = bytesOf(frame.fields[0].values[0]);
      return { frame, number: program.open({ ...compact.x, rows: rowsOf(compact) }, cells) };
    });
  }

  /** The heat in a range as compact frames, in columns that are as fine as they were saved, or as `most` of them have room. */
  show({ from, to }: Range, most: number): DataFrame[] {
    return this.series.map(({ frame, number }) => {
      const { version, x, y } = compactOf(frame);
      const every = Math.max(1, Math.ceil((to - from) / x.step / Math.max(1, most)));
      const { start, columns, count, cells } = this.program.cut(number, { from, to, every });
      const cut = { version, x: { start, step: every * x.step, columns }, y, count };
      return frameOf(frame.name!, frame.fields[0].labels, cut, base64(cells));
    });
  }

  close() {
    this.program.close();
  }
}
