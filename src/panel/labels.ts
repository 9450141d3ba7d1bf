/** A label of an axis: where it is, in pixels from the axis' beginning, and what it says. */
export interface AxisLabel {
  at: number;
  text: string;
}

/** The least there is between two labels, in pixels. */
const leastGap = 2;

/**
 * Where the middle of a label is drawn: beside its place where it would reach
 * beyond the ends of an axis. All in pixels; `size` is what the label takes.
 */
export function insideOf(at: number, size: number, [from, to]: [from: number, to: number]): number {
  return Math.max(from + size / 2, Math.min(to - size / 2, at));
}

/**
 * The labels that can be read, of those that an axis would have: where two
 * would lie on each other, the one that is `kept` stays, else the one that comes
 * first. `sizeOf` tells what a label takes of the axis, which ends at `ends`.
 */
export function spaced<L extends AxisLabel>(
  labels: L[],
  sizeOf: (label: L) => number,
  ends: [from: number, to: number],
  isKept: (label: L) => boolean = () => false
): L[] {
  const drawn: Array<{ from: number; to: number }> = [];
  const isFree = (label: L) => {
    const size = sizeOf(label);
    const middle = insideOf(label.at, size, ends);
    const [from, to] = [middle - size / 2, middle + size / 2];
    const free = drawn.every((other) => from >= other.to + leastGap || to <= other.from - leastGap);
    if (free) {
      drawn.push({ from, to });
    }
    return free;
  };
  const first = new Set(labels.filter(isKept).filter(isFree));
  return labels.filter((label) => first.has(label) || (!isKept(label) && isFree(label)));
}
