/**
 * A tone is what a cell is drawn as, in a byte. Tones are numbered by how much
 * they are to be seen, so that of the cells that share a pixel the one with
 * the greatest tone is drawn:
 *
 *     0       no cell
 *     1       muted: a cell that is not significant
 *     2 ...   the levels of the ramp; where it diverges, those nearest to the
 *             midpoint first, so that neither side hides the other
 */
import { bitsOf, keyOf, levelOn, type Ramp } from './ramp';

const firstLevel = 2;

/** In place of a tone: look closer. */
const crowded = 255;

/**
 * Turns values into tones. One is made for each ramp: it is a table, which has
 * to be filled. The table has an entry for each 16 bits that a float begins
 * with, since few of them have more than two tones:
 *
 *     bits  31-16  15-8   7-0
 *           bound  above  below
 *
 * Floats whose other 16 bits are less than the bound have the tone "below",
 * the others "above". No branch is needed to tell which, and that is what
 * makes it fast: which cell is hot cannot be foreseen.
 */
export class Toner {
  private readonly table = new Int32Array(1 << 16);
  /** Whether there are 16 bits that have more than two tones. */
  private readonly hasCrowded: boolean;
  /** The least value of each level, ascending. */
  private readonly bounds: Float32Array;
  /** The tone of values that have reached so many bounds: 0 for NaN, which reaches none. */
  private readonly tones: Uint8Array;

  constructor(ramp: Ramp) {
    const { steps } = ramp;
    if (!(Number.isInteger(steps) && steps >= 1 && steps <= 253)) {
      throw new Error(`ramp has ${steps} steps, must be 1 to 253`);
    }
    this.tones = new Uint8Array(steps + 1);
    byStrength(ramp).forEach((level, i) => (this.tones[1 + level] = firstLevel + i));
    const keys = boundsOf(ramp);
    this.bounds = Float32Array.from(keys, floatOf);
    this.hasCrowded = this.fillTable(keys);
  }

  /** Fills `filled[from]` to `filled[to - 1]` with those of the values there. Where `muted` is 1, a cell is muted. */
  fill(filled: Uint8Array, values: Float32Array, muted?: Uint8Array, from = 0, to = values.length) {
    const { table } = this;
    const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
    for (let cell = from; cell < to; cell++) {
      const entry = table[bits[cell] >>> 16];
      const isAbove = ((entry >>> 16) - 1 - (bits[cell] & 0xffff)) >>> 31;
      filled[cell] = entry >>> (isAbove << 3);
    }
    for (let cell = from; this.hasCrowded && cell < to; cell++) {
      if (filled[cell] === crowded) {
        filled[cell] = this.toneOf(values[cell]);
      }
    }
    if (muted) {
      for (let cell = from; cell < to; cell++) {
        if (muted[cell] && filled[cell]) {
          filled[cell] = 1;
        }
      }
    }
  }

  private toneOf(value: number): number {
    let reached = 0;
    for (let end = this.bounds.length; reached < end;) {
      const middle = (reached + end) >> 1;
      if (value >= this.bounds[middle]) {
        reached = middle + 1;
      } else {
        end = middle;
      }
    }
    return this.tones[reached];
  }

  /** Fills the table, given the keys of the bounds. Returns whether there are crowded entries in it. */
  private fillTable(keys: Uint32Array): boolean {
    const { table, tones } = this;
    let hasCrowded = false;
    const [lowest, highest] = [-Infinity, Infinity].map((value) => keyOf(bitsOfFloat(value)) >>> 16);
    // In ascending order of values, which for negative ones is not that of their bits.
    for (let prefix = lowest + 1, reached = 0; prefix < highest; prefix++) {
      const key = prefix * 65536;
      while (reached < keys.length && keys[reached] <= key) {
        reached++;
      }
      let end = reached;
      while (end < keys.length && keys[end] < key + 65536) {
        end++;
      }
      const bits = bitsOf(key) >>> 16;
      if (end === reached) {
        table[bits] = entryOf(0, tones[reached], tones[reached]);
      } else if (keys[end - 1] !== keys[reached]) {
        table[bits] = entryOf(0, crowded, crowded);
        hasCrowded = true;
      } else if (prefix >= 0x8000) {
        table[bits] = entryOf(keys[reached] - key, tones[end], tones[reached]);
      } else {
        // The bits of negative values fall as they rise.
        table[bits] = entryOf(key + 65536 - keys[reached], tones[reached], tones[end]);
      }
    }
    // Infinity has no other bits set: what has is NaN, and so are all floats that are left.
    for (const value of [-Infinity, Infinity]) {
      table[bitsOfFloat(value) >>> 16] = entryOf(1, 0, this.toneOf(value));
    }
    return hasCrowded;
  }
}

const entryOf = (bound: number, above: number, below: number) => (bound << 16) | (above << 8) | below;

/**
 * The colour of each tone. `table` has what is drawn where there is no cell,
 * and then a pixel for each level, coldest first: see [tableOf].
 */
export function toneTable(ramp: Ramp, table: Uint32Array, mutedColour = table[0]): Uint32Array {
  return Uint32Array.from([table[0], mutedColour, ...byStrength(ramp).map((level) => table[1 + level])]);
}

/** The levels, counted from 0, the least to be seen first. Of two that are equally far from the midpoint that is the colder. */
function byStrength({ steps, midpoint }: Ramp): number[] {
  const levels = Array.from({ length: steps }, (_, level) => level);
  const distance = (level: number) => Math.abs(level + 0.5 - steps / 2);
  return midpoint === undefined ? levels : levels.sort((a, b) => distance(a) - distance(b) || a - b);
}

/**
 * The keys of the least 32-bit floats of each level. They are searched for
 * among all floats, so that a table says of each what [levelOn] says of it.
 */
function boundsOf(ramp: Ramp): Uint32Array {
  const levelOf = levelOn(ramp);
  const lowest = keyOf(bitsOfFloat(-Infinity));
  const highest = keyOf(bitsOfFloat(Infinity));
  const keys = new Uint32Array(ramp.steps);
  for (let i = 0, low = lowest; i < keys.length; i++) {
    let high = highest;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (levelOf(floatOf(middle)) > i) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    keys[i] = low;
  }
  return keys;
}

const scratch = new DataView(new ArrayBuffer(4));

function floatOf(key: number): number {
  scratch.setUint32(0, bitsOf(key));
  return scratch.getFloat32(0);
}

function bitsOfFloat(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}
