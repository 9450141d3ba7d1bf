import { maxPoints, type Points, type Spray } from './spray';

/** More points than are kept. The message says how many. */
export class TooManyPoints extends Error {}

/** The points of a picture: they come at the end, and are dropped from the start. */
export class KeptPoints {
  private x = new Float64Array();
  private y = new Float64Array();
  private weight = new Float32Array();
  private start = 0;
  private end = 0;
  /** No point is further to the right. */
  rightmost = -Infinity;

  get length() {
    return this.end - this.start;
  }

  /** Those from number `from` on, counted from the first that is kept. They are good until the next change. */
  since(from: number): Points {
    const part = [this.start + from, this.end];
    return { x: this.x.subarray(...part), y: this.y.subarray(...part), weight: this.weight.subarray(...part) };
  }

  /**
   * Changes them. Returns those that were dropped, and how many of before are
   * left. Of too many none are left, and it throws [TooManyPoints].
   */
  change({ isNew, added, dropped }: Pick<Spray, 'isNew' | 'added' | 'dropped'>): { dropped: Points; left: number } {
    if (isNew) {
      this.start = this.end = 0;
      this.rightmost = -Infinity;
    }
    const before = this.length;
    const more = added.reduce((sum, { x }) => sum + x.length, 0);
    const gone = Math.min(dropped, before + more);
    if (before + more - gone > maxPoints) {
      this.start = this.end = 0;
      throw new TooManyPoints(`${before + more - gone} points, at most ${maxPoints} can be drawn`);
    }
    this.makeRoom(more);
    for (const { x, y, weight } of added) {
      this.x.set(x, this.end);
      this.y.set(y, this.end);
      this.weight.set(weight, this.end);
      this.end += x.length;
      for (let i = 0; i < x.length; i++) {
        this.rightmost = Math.max(this.rightmost, x[i]);
      }
    }
    const first = this.since(0);
    this.start += gone;
    return {
      dropped: { x: first.x.subarray(0, gone), y: first.y.subarray(0, gone), weight: first.weight.subarray(0, gone) },
      left: Math.max(0, before - gone),
    };
  }

  private makeRoom(more: number) {
    if (this.end + more <= this.x.length) {
      return;
    }
    const { x, y, weight } = this.since(0);
    const { length } = this;
    // What is dropped leaves room at the start, which is taken before it is made anew.
    const size = length + more > this.x.length / 2 ? 2 * (length + more) : this.x.length;
    this.x = copy(new Float64Array(size), x);
    this.y = copy(new Float64Array(size), y);
    this.weight = copy(new Float32Array(size), weight);
    this.start = 0;
    this.end = length;
  }
}

function copy<T extends Float64Array | Float32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
