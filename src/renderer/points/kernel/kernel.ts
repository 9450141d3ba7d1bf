/**
 * What script.ts does, four pixels at a time. It is AssemblyScript, not
 * TypeScript: `npm run generate:kernel` compiles it to ../kernel.gen.ts. It owns
 * no memory: who calls it says by addresses where its arrays are. Floats and
 * integers have 4 bytes each. Columns are `stride` floats apart.
 */

/**
 * Adds the ink of `n` points: a square of `taps` by `taps`, whose first float
 * is number `cells[i]` of the field. There are `padded` taps in memory, a
 * multiple of 4: those that are too many are 0.
 */
export function splat(
  field: usize,
  stride: usize,
  taps: usize,
  count: i32,
  padded: usize,
  cells: usize,
  weights: usize,
  n: i32
): void {
  for (let i = 0; i < n; i++, cells += 4, weights += 4) {
    const weight = load<f32>(weights);
    let column = field + ((<usize>load<i32>(cells)) << 2);
    for (let tap = 0; tap < count; tap++, column += stride << 2) {
      const across = f32x4.splat(weight * load<f32>(taps + ((<usize>tap) << 2)));
      for (let at: usize = 0, end = padded << 2; at < end; at += 16) {
        const ink = f32x4.mul(across, v128.load(taps + at));
        v128.store(column + at, f32x4.add(v128.load(column + at), ink));
      }
    }
  }
}

/** Adds the weights of `n` points to bins, each to the bin number `cells[i] + middle`. */
export function bin(bins: usize, middle: usize, cells: usize, weights: usize, n: i32): void {
  for (let i = 0; i < n; i++, cells += 4, weights += 4) {
    const at = bins + ((<usize>load<i32>(cells) + middle) << 2);
    store<f32>(at, load<f32>(at) + load<f32>(weights));
  }
}

/** Blurs `length` floats along columns. Before the first and after the last float there must be `radius` more. */
export function blurUp(from: usize, to: usize, length: usize, taps: usize, radius: usize): void {
  const middle = taps + (radius << 2);
  for (let end = from + (length << 2); from < end; from += 16, to += 16) {
    let sum = f32x4.mul(v128.load(from), v128.load32_splat(middle));
    for (let away: usize = 4, last = radius << 2; away <= last; away += 4) {
      const both = f32x4.add(v128.load(from - away), v128.load(from + away));
      sum = f32x4.add(sum, f32x4.mul(both, v128.load32_splat(middle + away)));
    }
    v128.store(to, sum);
  }
}

/** Blurs along rows, and adds it to the field. Before the first and after the last column there must be `radius` more. */
export function blurAcross(from: usize, field: usize, stride: usize, columns: usize, taps: usize, radius: usize): void {
  const middle = taps + (radius << 2);
  const step = stride << 2;
  for (let at: usize = 0, end = columns * step; at < end; at += 16) {
    const here = from + at;
    let sum = f32x4.mul(v128.load(here), v128.load32_splat(middle));
    for (let away: usize = 1; away <= radius; away++) {
      const both = f32x4.add(v128.load(here - away * step), v128.load(here + away * step));
      sum = f32x4.add(sum, f32x4.mul(both, v128.load32_splat(middle + (away << 2))));
    }
    v128.store(field + at, f32x4.add(v128.load(field + at), sum));
  }
}

/**
 * Writes `rows` of each of `columns`, times `factor`, one column after the
 * other; what is fainter than `faintest` is NaN. Returns the greatest. After
 * the last float there must be room for 3 more.
 */
export function shade(
  field: usize,
  stride: usize,
  to: usize,
  columns: usize,
  rows: usize,
  factor: f32,
  faintest: f32
): f32 {
  const none = f32x4.splat(NaN);
  const least = f32x4.splat(faintest);
  const times = f32x4.splat(factor);
  let greatest = f32x4.splat(0);
  for (let column: usize = 0; column < columns; column++, field += stride << 2, to += rows << 2) {
    for (let at: usize = 0, end = rows << 2; at < end; at += 16) {
      const ink = f32x4.mul(v128.load(field + at), times);
      // Above the last row there may be ink that is not seen: the next column overwrites it.
      if (at + 16 <= end) {
        greatest = f32x4.max(greatest, ink);
      } else {
        for (let rest = field + at; rest < field + end; rest += 4) {
          greatest = f32x4.max(greatest, f32x4.splat(load<f32>(rest) * factor));
        }
      }
      v128.store(to + at, v128.bitselect(ink, none, f32x4.ge(ink, least)));
    }
  }
  return max(
    max(f32x4.extract_lane(greatest, 0), f32x4.extract_lane(greatest, 1)),
    max(f32x4.extract_lane(greatest, 2), f32x4.extract_lane(greatest, 3))
  );
}
