/** New data for a redraw, as each way of drawing takes it. They are the same cells. */
export interface Cells {
  columns: number;
  rows: number;
  /** Column by column, each from its lowest row up, as the fields of a dense frame have them. */
  xs: number[];
  ys: number[];
  counts: number[];
  /** The same counts, as our panel keeps them. */
  values: Float32Array<ArrayBuffer>;
  max: number;
}

/** A way of drawing. */
export interface Rig {
  /** Draws new data. It resolves when that has been ordered. */
  redraw(cells: Cells): Promise<void>;
  /** Waits until what was ordered is drawn. */
  finish(): void;
  /** How many pictures were painted, where not each that is ordered is. */
  paintings?(): number;
}

const max = 1000;

/** Cells none of which is empty, skewed as heat is. */
export function makeCells(columns: number, rows: number): Cells {
  const length = columns * rows;
  const values = Float32Array.from({ length }, () => max ** Math.random());
  return {
    columns,
    rows,
    xs: Array.from({ length }, (_, i) => Math.trunc(i / rows)),
    ys: Array.from({ length }, (_, i) => i % rows),
    counts: Array.from(values),
    values,
    max,
  };
}
