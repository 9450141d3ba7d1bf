/** Points: where they are, and how much ink each leaves. All are of one length, in the order in which they came. */
export interface Points {
  /** Along the axis that may be of time. */
  x: Float64Array<ArrayBuffer>;
  /** In whatever is even on the other: the logarithms of values, where the axis is a logarithmic one. */
  y: Float64Array<ArrayBuffer>;
  weight: Float32Array<ArrayBuffer>;
}

/** The most points that are kept for a picture. */
export const maxPoints = 1 << 21;

/** How the points of a picture change, and where they are drawn. */
export interface Spray {
  /** Whether all points of before are forgotten first. */
  isNew: boolean;
  /** Points that come after those of before. */
  added: Points[];
  /** How many of all those, from the first, are no more. There are at least as many. */
  dropped: number;
  /** What lies at the left and at the right of the canvas. */
  x: { from: number; to: number };
  /** What lies at its bottom and at its top. */
  y: { from: number; to: number };
  /** The standard deviation of a point's ink, in device pixels: see [sigmas]. */
  sigma: number;
  /** How far from the right of the canvas ink has half its strength; it does not fade when not set. */
  halfLife?: number;
  /** How many device pixels there are in the area that ink is told for. */
  area: number;
}

/** What comes of two changes, one after the other. */
export function together(before: Spray, later: Spray): Spray {
  return later.isNew
    ? later
    : {
        ...later,
        isNew: before.isNew,
        added: [...before.added, ...later.added],
        dropped: before.dropped + later.dropped,
      };
}

/** The buffers of points, to be given away. */
export const buffersOf = ({ added }: Spray): ArrayBuffer[] =>
  added.flatMap(({ x, y, weight }) => [x.buffer, y.buffer, weight.buffer]);
