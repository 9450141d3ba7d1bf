import { heightsOf, type Measure, measured } from '../renderer';
import type { Bounds } from './bounds';
import { cellAt, type Heat, isFilled } from './heat';
import type { Options } from './options';
import { drawable, type Extent } from './scale';
import { heatWriter, type Writer, writerOf } from './words';

/**
 * What the colours of a series show. Values of gauges, goroutine grids and
 * differences are shown as they are: their columns are no sums, and the rows of
 * gauges and grids have no height. The ink of points is neither.
 */
export function measureOf({ rowNames, isGrid, difference, points }: Heat, chosen: Measure): Measure {
  return rowNames || isGrid || difference || points ? 'count' : chosen;
}

/** How high rows are in what density is per: see [heightsOf]. A row without an end is as high as it is drawn. */
export function rowHeights(y: Bounds, extent: Extent): Float64Array<ArrayBuffer> {
  const { from, to } = drawable(y, extent);
  return heightsOf(from, to, extent.kind === 'log');
}

/** Tells what the colour of a cell shows: its count, share or density. Of a cell that is not to be seen it is NaN. */
export function valueOn(heat: Heat, measure: Measure, extent: Extent): (column: number, row: number) => number {
  const { counts, totals } = heat;
  const heights = measure === 'density' ? rowHeights(heat.y, extent) : undefined;
  return (column, row) => {
    const cell = cellAt(heat, column, row);
    if (!isFilled(heat, cell)) {
      return NaN;
    }
    return measure === 'share' ? counts[cell] / totals[column] : counts[cell] / (heights?.[row] ?? 1);
  };
}

/** The same of all cells, in the order of counts. */
export function valuesOf(heat: Heat, measure: Measure, extent: Extent): Float64Array {
  const values = heat.counts.map((count, cell) => (isFilled(heat, cell) ? count : NaN));
  if (measure === 'share') {
    // Of all that the column has, also of what is not to be seen.
    const rows = heat.y.from.length;
    return values.map((count, cell) => count / heat.totals[Math.floor(cell / rows)]);
  }
  const grid = { columns: heat.x.from.length, rows: heat.y.from.length, values };
  return measured(grid, measure, measure === 'density' ? rowHeights(heat.y, extent) : undefined);
}

/** Whether shares are to be made here: the renderer adds up what it is given, which is not what is hidden. */
export function isAddedUpHere({ hides }: Heat, measure: Measure): boolean {
  return measure === 'share' && hides !== undefined;
}

/** Writes what colours show. */
export function shownWriter(heat: Heat, measure: Measure, options: Options['yAxis']): Writer {
  return measure === 'share' ? writerOf('percentunit') : heatWriter(heat, options);
}

/** What colours show, in words for the legend; counts and values go without saying. */
export function shownName(measure: Measure, extent: Extent): string {
  switch (measure) {
    case 'share':
      return 'of column';
    case 'density':
      return extent.kind === 'log' ? 'per doubling' : extent.kind === 'ordinal' ? 'per bucket' : 'per unit';
    case 'count':
      return '';
  }
}

/** What the colour of a cell shows, where there is nothing else that says it. */
export function densityFacts(heat: Heat, measure: Measure, extent: Extent, value: number, options: Options['yAxis']) {
  return measure === 'density'
    ? [{ name: `Count ${shownName(measure, extent)}`, text: shownWriter(heat, measure, options)(value) }]
    : [];
}
