import type { Options } from './options';

/** What is to be arranged in a panel. Lengths are in CSS pixels. */
export interface Request {
  width: number;
  height: number;
  plots: number;
  /** How plots are to lie: see [Options.series]. */
  series: Options['series'];
  /** Whether each plot has a name over it. */
  isNamed: boolean;
  legend: boolean;
  /** The width of a value axis, 0 where there is none. */
  axisWidth: number;
  /** Whether each plot has a value axis of its own; else only the first of each row has one. */
  hasOwnAxes: boolean;
  /** Whether the axis below the plots has a name. */
  isColumnNamed: boolean;
  /** Whether there are histograms beside and over each plot. */
  histograms: Options['histograms'];
}

/** Where everything lies. */
export interface Layout {
  /** How many plots are side by side. */
  columns: number;
  rows: number;
  axisWidth: number;
  plotWidth: number;
  plotHeight: number;
  /** Of the name over each plot; 0 where there is none. */
  nameHeight: number;
  /** Of the histogram over each plot; 0 where there is none. */
  topHeight: number;
  /** Of the histogram to the right of each plot, with the space before it; 0 where there is none. */
  sideWidth: number;
  /** Over the first row. */
  topMargin: number;
  /** To the right of each plot, and its histogram. */
  rightMargin: number;
  /** What is seen of the rows: where they are higher together, they scroll. */
  plotsHeight: number;
  columnAxisHeight: number;
  legendHeight: number;
}

const legendHeight = 34;
const columnAxisHeight = 24;
const columnNameHeight = 16;
const nameHeight = 18;
const topHistogram = 32;
const sideHistogram = 52;
/** Room for half of the uppermost label of the value axis. */
const topMargin = 4;
/** Room for half of the last label of the axis below. */
export const rightMargin = 12;
/** Plots are not made smaller than this: the panel scrolls instead, or puts fewer side by side. */
export const leastPlotHeight = 32;
const leastPlotWidth = 100;
/** In a panel that is lower than this, what only explains the plots gives way to them. */
const leastWithLegend = 110;
const leastWithAxis = 56;
/** The shape that plots of a grid get, about. */
const goodShape = 2.5;

/** Lays plots out in a panel, all of them equally large. */
export function layOut(request: Request): Layout {
  const { width, height, plots, isNamed, histograms } = request;
  const legend = request.legend && height >= leastWithLegend ? legendHeight : 0;
  const below = columnAxisHeight + (request.isColumnNamed ? columnNameHeight : 0);
  const columnAxis = height >= leastWithAxis ? below : 0;
  const plotsHeight = Math.max(0, height - legend - columnAxis);

  // A panel that is narrow has better use for its width than for labels.
  const axisWidth = request.axisWidth > width / 3 ? 0 : request.axisWidth;
  const axesOf = (columns: number) => (request.hasOwnAxes ? columns : 1) * axisWidth;
  const cellOf = (columns: number) => Math.floor((width - axesOf(columns)) / columns);
  const most = Math.max(1, Math.min(plots, Math.floor((width - axesOf(1)) / (leastPlotWidth + rightMargin))));
  const columns = { rows: 1, sum: 1, columns: most, grid: Math.min(most, squarish(plots, width, plotsHeight)) }[
    request.series
  ];
  const rows = Math.max(1, Math.ceil(plots / columns));

  const cellWidth = cellOf(columns) - rightMargin;
  const sideWidth = histograms.right && cellWidth >= leastPlotWidth + sideHistogram ? sideHistogram : 0;
  const name = isNamed ? nameHeight : 0;
  const rowHeight = Math.floor((plotsHeight - topMargin) / rows) - name;
  const topHeight = histograms.top && rowHeight >= 2 * leastPlotHeight + topHistogram ? topHistogram : 0;
  return {
    columns,
    rows,
    axisWidth,
    plotWidth: Math.max(1, cellWidth - sideWidth),
    plotHeight: Math.max(leastPlotHeight, rowHeight - topHeight),
    nameHeight: name,
    topHeight,
    sideWidth,
    topMargin,
    rightMargin,
    plotsHeight,
    columnAxisHeight: columnAxis,
    legendHeight: legend,
  };
}

/**
 * Where the plots of each column begin, from the left of the panel. `side` is
 * that of the value axis: of the first column on the left, or of the last on the
 * right, or of each.
 */
export function leftsOf(layout: Layout, side: 'left' | 'right', hasOwnAxes: boolean): number[] {
  const { columns, axisWidth, plotWidth, sideWidth, rightMargin } = layout;
  const before = (column: number) => (side === 'left' && (hasOwnAxes || column === 0) ? axisWidth : 0);
  const after = side === 'right' && hasOwnAxes ? axisWidth : 0;
  const lefts: number[] = [];
  for (let column = 0, end = 0; column < columns; column++) {
    const left = end + before(column);
    lefts.push(left);
    end = left + plotWidth + sideWidth + after + rightMargin;
  }
  return lefts;
}

/** How many plots to put side by side for each to be of about a good shape. */
function squarish(plots: number, width: number, height: number): number {
  const columns = Math.round(Math.sqrt((plots * width) / (Math.max(1, height) * goodShape)));
  return Math.min(plots, Math.max(1, columns));
}
