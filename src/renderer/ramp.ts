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
 */
export function ranksOf(all: ReadonlyArray<Float32Array | Float64Array>, parts = 256): Float32Array<ArrayBuffer> {
  const sorted = sortValues(all);
  const ranks = new Float32Array(parts + 1);
  if (sorted.length === 0) {
    return ranks;
  }
  const below = sorted.indexOf(sorted[sorted.length - 1]);
  for (let part = 0, at = 0; part <= parts; part++) {
    at = Math.max(at, Math.ceil((part * below) / parts));
    while (at > 0 && at < below && sorted[at] === sorted[at - 1]) {
      at++;
    }
    ranks[part] = sorted[at];
  }
  return ranks;
}

/** All values but NaN, ascending: a radix sort, since that of typed arrays takes five times as long. */
function sortValues(all: ReadonlyArray<Float32Array | Float64Array>): Float32Array {
  let length = 0;
  const floats = new Float32Array(all.reduce((sum, values) => sum + values.length, 0));
  for (const values of all) {
    for (let i = 0; i < values.length; i++) {
      if (values[i] === values[i]) {
        floats[length++] = values[i];
      }
    }
  }
  let keys = new Uint32Array(floats.buffer, 0, length);
  for (let i = 0; i < length; i++) {
    keys[i] = keyOf(keys[i]);
  }
  let sorted = new Uint32Array(length);
  const starts = new Uint32Array(2049);
  for (let shift = 0; shift < 32; shift += 11) {
    starts.fill(0);
    for (let i = 0; i < length; i++) {
      starts[((keys[i] >>> shift) & 2047) + 1]++;
    }
    for (let digit = 0; digit < 2048; digit++) {
      starts[digit + 1] += starts[digit];
    }
    for (let i = 0; i < length; i++) {
      sorted[starts[(keys[i] >>> shift) & 2047]++] = keys[i];
    }
    [keys, sorted] = [sorted, keys];
  }
  for (let i = 0; i < length; i++) {
    keys[i] = bitsOf(keys[i]);
  }
  return new Float32Array(keys.buffer, 0, length);
}

/** A number that rises with the 32-bit float that has these bits. */
export const keyOf = (bits: number) => (bits & 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;

/** The bits of the float of a key. */
export const bitsOf = (key: number) => (key & 0x80000000 ? key & 0x7fffffff : ~key) >>> 0;
