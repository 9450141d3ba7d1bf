/**
 * What a colour means. Whoever says it asks here, so that all say the same:
 * painters, legend, tooltip, table.
 *
 *     value  --heat-->  0 ... 1  --level-->  1 ... steps, a colour each
 */

/** How a value becomes heat, and heat a level. */
export interface Ramp {
  /** Values up to here are the coldest. Over zero when `scale` is log. */
  min: number;
  /** Values from here on are the hottest. */
  max: number;
  /**
   * What is even between min and max: differences (linear), factors (log),
   * differences near zero and factors far from it, on both its sides (symlog),
   * or how many filled cells have less (rank).
   */
  scale: 'linear' | 'log' | 'symlog' | 'rank';
  /**
   * The value that has the middle of the colours: the ramp diverges from it.
   * Each side runs to its own end, so that colours on both sides compare only
   * when min and max are equally far from it.
   */
  midpoint?: number;
  /** About how far from zero symlog is still linear; a hundredth of the greater of |min| and |max| when not set. */
  linearUpTo?: number;
  /** For rank: what [ranksOf] made of all the values that share this ramp. */
  ranks?: Float32Array<ArrayBuffer>;
  /** How many levels there are beside "no cell": 1 to 253. */
  steps: number;
}

/** Tells where values lie in the ramp: 0 at its min, 1 at its max, and never outside. */
export function heatOn(ramp: Ramp): (value: number) => number {
  const { min, max, midpoint } = ramp;
  const place = placeOn(ramp);
  if (midpoint !== undefined) {
    const middle = place(midpoint);
    const below = 2 * (middle - place(min));
    const above = 2 * (place(max) - middle);
    return (value) => {
      if (value < midpoint) {
        return value <= min || !(below > 0) ? 0 : Math.max(0, 0.5 - (middle - place(value)) / below);
      }
      return value === midpoint ? 0.5 : value >= max || !(above > 0) ? 1 : 0.5 + (place(value) - middle) / above;
    };
  }
  const low = place(min);
  const range = place(max) - low;
  if (!(range > 0)) {
    // With nothing between them, what reaches the max is hot.
    return (value) => (value >= max ? 1 : 0);
  }
  return (value) => (value <= min ? 0 : value >= max ? 1 : (place(value) - low) / range);
}

/** Tells the level of values: 1 (coldest) to `ramp.steps` (hottest). */
export function levelOn(ramp: Ramp): (value: number) => number {
  const heat = heatOn(ramp);
  return (value) => 1 + Math.min(ramp.steps - 1, Math.floor(heat(value) * ramp.steps));
}

/** Tells where values lie on the scale of a ramp, in whatever is even on it. */
function placeOn({ scale, linearUpTo, min, max, ranks }: Ramp): (value: number) => number {
  switch (scale) {
    case 'linear':
      return (value) => value;
    case 'log':
      return Math.log;
    case 'symlog': {
      // J. B. W. Webber, "A bi-symmetric log transformation for wide-range data" (2012).
      const constant = linearUpTo ?? (Math.max(Math.abs(min), Math.abs(max)) / 100 || 1);
      return (value) => Math.sign(value) * Math.log1p(Math.abs(value) / constant);
    }
    case 'rank': {
      if (!ranks) {
        throw new Error('ramp of scale rank has no ranks: make them of the values with ranksOf');
      }
      return (value) => rankAmong(ranks, value);
    }
  }
}

/** Where a value lies among ranks: 0 at the first, 1 at the last, linear between two. */
function rankAmong(ranks: Float32Array, value: number): number {
  // How many ranks the value has reached.
  let reached = 0;
  for (let end = ranks.length; reached < end;) {
    const middle = (reached + end) >> 1;
    if (ranks[middle] <= value) {
      reached = middle + 1;
    } else {
      end = middle;
    }
  }
  const last = ranks.length - 1;
  if (reached === 0 || reached > last) {
    return reached === 0 ? 0 : 1;
  }
  const from = ranks[reached - 1];
  return (reached - 1 + (value - from) / (ranks[reached] - from)) / last;
}

/**
 * The ranks of values, for a ramp of scale rank: `parts` + 1 values, of which
 * number k is the least that has k / parts of the others below it, where "all"
 * are those below the greatest. So the least value has rank 0 and the greatest
 * 1 however often they come, and equal values have equal rank. NaN is no value.
 *
 * They are exact, but not all values are sorted for it: values are counted by
 * the 16 bits that their floats begin with, and only those that begin like a
 * rank, and are not all alike, are looked at closer. Of counts under 256 that is
 * none: 16 bits are all that their floats have.
 */
export function ranksOf(all: ReadonlyArray<Float32Array | Float64Array>, parts = 256): Float32Array<ArrayBuffer> {
  const ranks = new Float32Array(parts + 1);
  const floats = all.map((values) => (values instanceof Float32Array ? values : new Float32Array(values)));
  const bits = floats.map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  const bins = binsOf(bits);
  if (bins.length === 0) {
    return ranks;
  }
  const below = belowGreatest(bits, bins[bins.length - 1]);
  const targets = Array.from(ranks, (_, part) => Math.ceil((part * below) / parts));
  // With so many values before it, a rank is in the bin of the last of them, or else begins the next.
  const wanted = new Set<Bin>();
  let reached = 0;
  for (const target of targets) {
    while (bins[reached].end < target) {
      reached++;
    }
    wanted.add(bins[reached]);
    wanted.add(bins[Math.min(reached + 1, bins.length - 1)]);
  }
  const keys = keysIn(bits, [...wanted]);
  let part = 0;
  let at = 0;
  for (const { only, start, end } of wanted) {
    for (let before = start; before < end;) {
      const key = only ?? keys[at];
      while (part <= parts && targets[part] <= before) {
        ranks[part++] = floatOf(key);
      }
      if (only !== undefined) {
        break;
      }
      for (; before < end && keys[at] === key; at++) {
        before++;
      }
    }
  }
  return ranks;
}

/** The values whose floats begin with the same 16 bits. */
interface Bin {
  prefix: number;
  /** How many values are before the first of it, and how many are up to the last. */
  start: number;
  end: number;
  /** The key of them all, where they are all alike. */
  only?: number;
}

/** All bins that have values, ascending. */
function binsOf(all: Uint32Array[]): Bin[] {
  const counts = new Uint32Array(1 << 16);
  const last = new Uint16Array(1 << 16);
  const unlike = new Uint16Array(1 << 16);
  for (const bits of all) {
    for (let i = 0; i < bits.length; i++) {
      const prefix = bits[i] >>> 16;
      if (counts[prefix]++ > 0) {
        unlike[prefix] |= last[prefix] ^ bits[i];
      }
      last[prefix] = bits[i];
    }
  }
  const bins: Bin[] = [];
  let start = 0;
  for (let high = 0; high < 1 << 16; high++) {
    const prefix = bitsOf(high * 65536) >>> 16;
    // Beyond the bits of infinity are those of NaN.
    if (counts[prefix] > 0 && (prefix & 0x7fff) <= 0x7f80) {
      const only = unlike[prefix] === 0 ? keyOf(prefix * 65536 + last[prefix]) : undefined;
      bins.push({ prefix, start, end: start + counts[prefix], only });
      start += counts[prefix];
    }
  }
  return bins;
}

/** How many values are less than the greatest, which is in the last bin. */
function belowGreatest(all: Uint32Array[], last: Bin): number {
  if (last.only !== undefined) {
    return last.start;
  }
  const keys = keysIn(all, [last]);
  return last.start + keys.indexOf(keys[keys.length - 1]);
}

/** The keys of all values in bins that have different ones, ascending. */
function keysIn(all: Uint32Array[], bins: Bin[]): Uint32Array {
  const isIn = new Uint8Array(1 << 16);
  let length = 0;
  for (const { prefix, only, start, end } of bins) {
    if (only === undefined) {
      isIn[prefix] = 1;
      length += end - start;
    }
  }
  const keys = new Uint32Array(length);
  for (let part = 0, found = 0; part < all.length && length > 0; part++) {
    const bits = all[part];
    for (let i = 0; i < bits.length; i++) {
      if (isIn[bits[i] >>> 16]) {
        keys[found++] = keyOf(bits[i]);
      }
    }
  }
  return sortKeys(keys);
}

/** A radix sort, since that of typed arrays takes five times as long. It uses up the keys. */
function sortKeys(keys: Uint32Array): Uint32Array {
  let sorted: Uint32Array = new Uint32Array(keys.length);
  const starts = new Uint32Array(2049);
  for (let shift = 0; shift < 32 && keys.length > 1; shift += 11) {
    starts.fill(0);
    for (let i = 0; i < keys.length; i++) {
      starts[((keys[i] >>> shift) & 2047) + 1]++;
    }
    for (let digit = 0; digit < 2048; digit++) {
      starts[digit + 1] += starts[digit];
    }
    for (let i = 0; i < keys.length; i++) {
      sorted[starts[(keys[i] >>> shift) & 2047]++] = keys[i];
    }
    [keys, sorted] = [sorted, keys];
  }
  return keys;
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** The float of a key. */
function floatOf(key: number): number {
  word[0] = bitsOf(key);
  return float[0];
}

/** A number that rises with the 32-bit float that has these bits. */
export const keyOf = (bits: number) => (bits & 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;

/** The bits of the float of a key. */
export const bitsOf = (key: number) => (key & 0x80000000 ? key & 0x7fffffff : ~key) >>> 0;
