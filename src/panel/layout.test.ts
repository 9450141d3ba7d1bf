import { describe, expect, it } from 'vitest';
import { layOut, leftsOf, type Request } from './layout';

const usual: Request = {
  width: 1000,
  height: 400,
  plots: 1,
  series: 'rows',
  isNamed: false,
  legend: true,
  axisWidth: 60,
  hasOwnAxes: false,
  isColumnNamed: false,
  histograms: { right: false, top: false },
};
const many = { ...usual, plots: 6, isNamed: true };

/** What all plots of a row need, with what is beside them. */
const widthOf = (request: Request) => {
  const { columns, plotWidth, sideWidth, axisWidth, rightMargin } = layOut(request);
  const axes = (request.hasOwnAxes ? columns : 1) * axisWidth;
  return axes + columns * (plotWidth + sideWidth + rightMargin);
};

describe('plots', () => {
  it('fill the panel with their axes and the legend', () => {
    const { plotHeight, topMargin, columnAxisHeight, legendHeight } = layOut(usual);
    expect(plotHeight + topMargin + columnAxisHeight + legendHeight).toBe(400);
    expect(widthOf(usual)).toBe(1000);
  });

  it.each(['rows', 'columns', 'grid'] as const)('in %s are never wider together than the panel', (series) => {
    for (const width of [120, 300, 777, 1400]) {
      for (const hasOwnAxes of [true, false]) {
        const request = { ...many, series, width, hasOwnAxes, histograms: { right: true, top: true } };
        expect(widthOf(request)).toBeLessThanOrEqual(width);
        expect(layOut(request).rows * layOut(request).columns).toBeGreaterThanOrEqual(6);
      }
    }
  });

  it('lie below each other, beside each other, or in a grid', () => {
    const shape = (series: Request['series']) => [
      layOut({ ...many, series }).columns,
      layOut({ ...many, series }).rows,
    ];
    expect(shape('rows')).toEqual([1, 6]);
    expect(shape('columns')).toEqual([6, 1]);
    expect(shape('grid')).toEqual([3, 2]);
  });

  it('go on in the next row rather than be too narrow', () => {
    expect(layOut({ ...many, series: 'columns', width: 320 })).toMatchObject({ columns: 2, rows: 3 });
  });

  it('scroll rather than be too low', () => {
    const { plotHeight, nameHeight, rows, plotsHeight } = layOut({ ...many, height: 150 });
    expect(plotHeight).toBe(32);
    expect(rows * (plotHeight + nameHeight)).toBeGreaterThan(plotsHeight);
  });
});

describe('a small panel', () => {
  it('leaves out the legend first, and then the axis below', () => {
    expect(layOut({ ...usual, height: 100 })).toMatchObject({ legendHeight: 0, columnAxisHeight: 24 });
    expect(layOut({ ...usual, height: 50 })).toMatchObject({ legendHeight: 0, columnAxisHeight: 0 });
  });

  it('leaves out an axis that would take a third of its width', () => {
    expect(layOut({ ...usual, width: 170 }).axisWidth).toBe(0);
    expect(layOut({ ...usual, width: 190 }).axisWidth).toBe(60);
  });

  it('leaves out histograms that plots have no room beside', () => {
    const histograms = { right: true, top: true };
    expect(layOut({ ...usual, histograms })).toMatchObject({ sideWidth: 52, topHeight: 32 });
    expect(layOut({ ...usual, histograms, width: 200, height: 130 })).toMatchObject({ sideWidth: 0, topHeight: 0 });
  });
});

describe('what lies over the plots', () => {
  const lefts = (request: Request, side: 'left' | 'right') => leftsOf(layOut(request), side, request.hasOwnAxes);
  const columns: Request = { ...many, series: 'columns' };

  it('begins over each column where its plots do', () => {
    const { plotWidth, rightMargin } = layOut(columns);
    expect(lefts(columns, 'left')).toEqual(Array.from({ length: 6 }, (_, i) => 60 + i * (plotWidth + rightMargin)));
    expect(lefts(columns, 'right')).toEqual(Array.from({ length: 6 }, (_, i) => i * (plotWidth + rightMargin)));
  });

  it('leaves room for all that is beside each plot', () => {
    const full = { ...columns, hasOwnAxes: true, plots: 2, histograms: { right: true, top: false } };
    const { plotWidth, sideWidth, rightMargin } = layOut(full);
    expect(lefts(full, 'left')).toEqual([60, 60 + plotWidth + sideWidth + rightMargin + 60]);
    expect(lefts(full, 'right')).toEqual([0, plotWidth + sideWidth + 60 + rightMargin]);
  });
});
