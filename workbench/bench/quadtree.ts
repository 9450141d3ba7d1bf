/** A rectangle of the plot, and the cell that is drawn there. */
export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
  cell: number;
}

const most = 10;
const deepest = 4;

/** Finds what is at a point: boxes in quarters of quarters. A plot that is made of paths needs one, to know what a pointer is over. */
export class Quadtree {
  private boxes: Box[] = [];
  private quarters?: Quadtree[];

  constructor(
    private readonly x: number,
    private readonly y: number,
    private readonly w: number,
    private readonly h: number,
    private readonly depth = 0
  ) {}

  add(box: Box) {
    if (this.quarters) {
      for (const quarter of this.quarters) {
        if (quarter.touches(box)) {
          quarter.add(box);
        }
      }
      return;
    }
    this.boxes.push(box);
    if (this.boxes.length > most && this.depth < deepest) {
      const w = this.w / 2;
      const h = this.h / 2;
      this.quarters = [0, 1, 2, 3].map(
        (i) => new Quadtree(this.x + (i % 2) * w, this.y + (i >> 1) * h, w, h, this.depth + 1)
      );
      for (const kept of this.boxes.splice(0)) {
        this.add(kept);
      }
    }
  }

  private touches({ x, y, w, h }: Box) {
    return x < this.x + this.w && x + w > this.x && y < this.y + this.h && y + h > this.y;
  }
}
