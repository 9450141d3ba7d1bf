import type { PointSeries } from './events';

/** How points went on: the first so many are no more, and those from number `from` on are new. */
export interface Continuation {
  dropped: number;
  from: number;
}

/**
 * Finds how points went on from others: live frames grow at their end, and
 * lose what is old at their start. Undefined where they are others altogether.
 */
export function goesOn(before: PointSeries, now: PointSeries): Continuation | undefined {
  if (before.are !== now.are) {
    return undefined;
  }
  const isSame = (old: number, i: number) =>
    before.times[old] === now.times[i] &&
    before.values[old] === now.values[i] &&
    before.weights[old] === now.weights[i];
  const length = before.times.length;
  // Points that repeat themselves could be compared without end.
  let patience = 4 * length;
  for (let dropped = Math.max(0, length - now.times.length); dropped < length; dropped++) {
    let kept = 0;
    while (dropped + kept < length && isSame(dropped + kept, kept)) {
      kept++;
    }
    if (dropped + kept === length) {
      return { dropped, from: kept };
    }
    patience -= kept;
    if (patience < 0) {
      return undefined;
    }
  }
  return undefined;
}
