import type { Grid } from './draw';
import { type Measure, measured } from './measure';
import type { Ramp } from './ramp';
import { Toner } from './tones';

/** What decides on the tones of a grid. */
export interface Tinge {
  /** What of the cells is shown, and so what the ramp's min and max are of; the count when not set. */
  measure?: Measure;
  /** For density, one for each row: see [heightsOf]. */
  heights?: Float64Array<ArrayBuffer>;
  ramp: Ramp;
}

/** Which columns of a grid have the tones that they had before. */
export interface Kept {
  /** Column i of the grid was column i + moved of the grid before. */
  moved: number;
  /** 1 for each column of the grid that has the same tones. */
  same: Uint8Array;
}

/** A grid and its tones. Of a grid that is much like the one before, only the columns that are new are toned. */
export class TonedGrid {
  grid: Grid = { columns: 0, rows: 0, values: new Float32Array() };
  tones: Uint8Array = new Uint8Array();
  private muted?: Uint8Array;
  private tinge?: Tinge;
  private toner?: Toner;

  /** Takes another grid, unless it is undefined, and tones what has to be. Nothing is kept where undefined comes back. */
  take(grid: Grid | undefined, muted: Uint8Array | undefined, tinge: Tinge): Kept | undefined {
    const before = this.tinge;
    const sameRamp = before !== undefined && equal(before.ramp, tinge.ramp);
    const sameTinge = sameRamp && before.measure === tinge.measure && equal(before.heights, tinge.heights);
    if (!sameRamp) {
      this.toner = new Toner(tinge.ramp);
    }
    this.tinge = tinge;
    if (!grid && sameTinge) {
      return { moved: 0, same: new Uint8Array(this.grid.columns).fill(1) };
    }
    const kept = grid && sameTinge ? this.compare(grid, muted) : undefined;
    const old = this.tones;
    if (grid) {
      this.grid = grid;
      this.muted = muted;
    }
    const { columns, rows } = this.grid;
    const values = measured(this.grid, tinge.measure ?? 'count', tinge.heights);
    if (kept || old.length !== columns * rows) {
      this.tones = new Uint8Array(columns * rows);
    }
    for (let start = 0, end = 0; start < columns; start = end) {
      const same = kept?.same[start];
      while (end < columns && kept?.same[end] === same) {
        end++;
      }
      if (kept && same) {
        this.tones.set(old.subarray((start + kept.moved) * rows, (end + kept.moved) * rows), start * rows);
      } else {
        this.toner!.fill(this.tones, values, this.muted, start * rows, end * rows);
      }
    }
    return kept;
  }

  /** Finds the columns of another grid that this one has, too. */
  private compare({ columns, rows, at = 0, values }: Grid, muted?: Uint8Array): Kept | undefined {
    const moved = at - (this.grid.at ?? 0);
    if (rows !== this.grid.rows || !muted !== !this.muted) {
      return undefined;
    }
    const same = new Uint8Array(columns);
    const [theirs, ours] = [bitsOf(values), bitsOf(this.grid.values)];
    const isEqual = (a: ArrayLike<number>, b: ArrayLike<number>, column: number) => {
      for (let cell = column * rows, other = cell + moved * rows, end = cell + rows; cell < end; cell++, other++) {
        if (a[cell] !== b[other]) {
          return false;
        }
      }
      return true;
    };
    for (let column = Math.max(0, -moved); column < Math.min(columns, this.grid.columns - moved); column++) {
      const isSame = isEqual(theirs, ours, column) && (!muted || isEqual(muted, this.muted!, column));
      same[column] = isSame ? 1 : 0;
    }
    return { moved, same };
  }
}

/** Floats as numbers that are equal where they are NaN, too. */
const bitsOf = ({ buffer, byteOffset, length }: Float32Array) => new Uint32Array(buffer, byteOffset, length);

/** Whether two ramps, or two arrays of numbers, say the same. */
function equal(a: unknown, b: unknown): boolean {
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [one, other] = [a as Float64Array, b as Float64Array];
    return one.length === other.length && one.every((value, i) => value === other[i]);
  }
  if (typeof a === 'object' && typeof b === 'object' && a && b) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof typeof a>;
    return [...names].every((name) => equal(a[name], b[name]));
  }
  return Object.is(a, b);
}
