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

/** Added to entries of a toner's table that are no tones. */
const noTone = 256;

/** Turns values into tones. One is made for each ramp: it is a table, which has to be filled. */
export class Toner {
  /**
   * The tone of the values that begin with these 16 bits. Where they have more
   * than one it is noTone + how many bounds they have reached at the least; of
   * those of infinity, with which NaN begins too, that is none.
   */
  private readonly table = new Uint16Array(1 << 16).fill(noTone);
  /** The least value of each level, ascending; then NaN, which no value reaches. */
  private readonly bounds: Float32Array;
  /** The tone of values that have reached so many bounds: 0 for NaN, which reaches none. */
  private readonly tones: Uint8Array;

  constructor(ramp: Ramp) {
    const { steps } = ramp;
    if (!(Number.isInteger(steps) && steps >= 1 && steps <= 254)) {
      throw new Error(`ramp has ${steps} steps, must be 1 to 254`);
    }
    this.tones = new Uint8Array(steps + 1);
    byStrength(ramp).forEach((level, i) => (this.tones[1 + level] = firstLevel + i));
    const keys = boundsOf(ramp);
    this.bounds = Float32Array.from([...keys].map(floatOf).concat(NaN));
    // In ascending order of values, which for negative ones is not that of their bits.
    const [lowest, highest] = [-Infinity, Infinity].map((value) => keyOf(bitsOfFloat(value)) >>> 16);
    for (let prefix = lowest + 1, reached = 0; prefix < highest; prefix++) {
      const key = prefix * 65536;
      while (reached < keys.length && keys[reached] <= key) {
        reached++;
      }
      const isOne = reached === keys.length || keys[reached] >= key + 65536;
      this.table[bitsOf(key) >>> 16] = isOne ? this.tones[reached] : noTone + reached;
    }
  }

  /** Fills `filled[from]` to `filled[to - 1]` with those of the values there. Where `muted` is 1, a cell is muted. */
  fill(filled: Uint8Array, values: Float32Array, muted?: Uint8Array, from = 0, to = values.length) {
    const { table, bounds, tones } = this;
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let cell = from; cell < to; cell++) {
      let tone = table[bits[cell] >>> 16];
      if (tone >= noTone) {
        let reached = tone - noTone;
        while (values[cell] >= bounds[reached]) {
          reached++;
        }
        tone = tones[reached];
      }
      filled[cell] = tone;
    }
    if (muted) {
      for (let cell = from; cell < to; cell++) {
        if (muted[cell] && filled[cell]) {
          filled[cell] = 1;
        }
      }
    }
  }
}

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
