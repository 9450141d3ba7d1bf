/** The cells of an axis, ascending: cell i lies between `from[i]` and `to[i]`. Ends may be infinite. */
export interface Bounds {
  from: Float64Array;
  to: Float64Array;
}

/** Bounds, and for each value that they were made of the number of its cell. */
export interface Indexed {
  bounds: Bounds;
  index: Int32Array;
}

/** Cells that are said by one position each. `width` 0 means: as far as the nearest neighbour. */
export function positions(values: Float64Array, meaning: string, width: number, otherwise: number): Indexed {
  const distinct = Float64Array.from(new Set(values)).sort();
  const at = new Map<number, number>();
  distinct.forEach((value, i) => at.set(value, i));
  const index = Int32Array.from(values, (value) => at.get(value)!);
  if (width === 0) {
    width = Infinity;
    for (let i = 1; i < distinct.length; i++) {
      width = Math.min(width, distinct[i] - distinct[i - 1]);
    }
    width = Number.isFinite(width) ? width : otherwise;
  }
  const before = { Max: width, Min: 0 }[meaning] ?? width / 2;
  const from = distinct.map((value) => value - before);
  return { bounds: { from, to: from.map((value) => value + width) }, index };
}

/** Cells that are said by both their bounds. */
export function intervals(from: Float64Array, to: Float64Array): Indexed {
  const seen = new Map<number, Map<number, number>>();
  const distinct: Array<{ from: number; to: number }> = [];
  const found = new Int32Array(from.length);
  for (let i = 0; i < from.length; i++) {
    let ends = seen.get(from[i]);
    if (!ends) {
      seen.set(from[i], (ends = new Map()));
    }
    let cell = ends.get(to[i]);
    if (cell === undefined) {
      ends.set(to[i], (cell = distinct.push({ from: from[i], to: to[i] }) - 1));
    }
    found[i] = cell;
  }
  const order = distinct
    .map((_, i) => i)
    .sort((a, b) => distinct[a].from - distinct[b].from || distinct[a].to - distinct[b].to);
  const rank = new Int32Array(order.length);
  order.forEach((cell, i) => (rank[cell] = i));
  return {
    bounds: {
      from: Float64Array.from(order, (cell) => distinct[cell].from),
      to: Float64Array.from(order, (cell) => distinct[cell].to),
    },
    index: found.map((cell) => rank[cell]),
  };
}

/** The cells of several axes on one, and where each cell of each came to lie. */
export function union(all: Bounds[]): { bounds: Bounds; index: Int32Array[] } {
  const join = (pick: (bounds: Bounds) => Float64Array) => Float64Array.from(all.flatMap((b) => Array.from(pick(b))));
  const { bounds, index } = intervals(
    join((b) => b.from),
    join((b) => b.to)
  );
  let at = 0;
  return { bounds, index: all.map((b) => index.subarray(at, (at += b.from.length))) };
}
