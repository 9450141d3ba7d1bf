import { describe, expect, it } from 'vitest';
import { changeFromHeatmap, fromHeatmap } from './migration';
import { defaultOptions, type Options } from './options';

/** A panel as Grafana 12.4 saves it when a user has set a few things. */
const saved = {
  calculate: false,
  cellGap: 3,
  color: {
    mode: 'scheme',
    scheme: 'RdBu',
    fill: 'dark-orange',
    scale: 'exponential',
    exponent: 0.5,
    steps: 32,
    reverse: true,
    min: 2,
    max: 900,
  },
  exemplars: { color: 'rgba(0,255,0,0.7)' },
  filterValues: { le: 5, ge: 1000 },
  legend: { show: false },
  rowsFrame: { layout: 'auto' },
  tooltip: { mode: 'none', yHistogram: false, showColorScale: false },
  yAxis: {
    axisPlacement: 'right',
    axisLabel: 'how long',
    unit: 's',
    decimals: 2,
    min: 0.001,
    max: 8,
    reverse: true,
  },
};

const migrated = (core: object) => fromHeatmap(core) as Options;

describe("changing Grafana's own heatmap into this one", () => {
  it('keeps what a user has set', () => {
    expect(migrated(saved)).toEqual({
      color: {
        ...{ scheme: 'RdBu', reverse: true, steps: 32, measure: 'count', scale: 'linear' },
        ...{ min: 2, max: 900, hideUpTo: 5, hideFrom: 1000 },
      },
      cellGap: 3,
      yAxis: {
        ...{ scale: 'auto', placement: 'right', label: 'how long', reverse: true },
        ...{ unit: 's', decimals: 2, min: 0.001, max: 8 },
      },
      exemplars: { show: true, color: 'rgba(0,255,0,0.7)' },
      tooltip: { show: false },
      legend: { show: false },
    });
  });

  it('takes their defaults where nothing is set', () => {
    const { color, cellGap, yAxis, tooltip, legend } = migrated({});
    expect(color).toEqual({ ...defaultOptions.color, scheme: 'Oranges', scale: 'linear', steps: 64 });
    expect([cellGap, yAxis, tooltip, legend]).toEqual([1, defaultOptions.yAxis, { show: true }, { show: true }]);
  });

  it('leaves nothing set that a dashboard says is null', () => {
    const { color, yAxis } = migrated({ color: { min: null, max: null }, yAxis: { decimals: null, unit: null } });
    expect(Object.keys(color)).not.toContain('min');
    expect(Object.keys(yAxis)).not.toContain('decimals');
    expect(Object.keys(yAxis)).not.toContain('unit');
  });

  it.each([
    ['dark-orange', 'Oranges'],
    ['semi-dark-blue', 'Blues'],
    ['green', 'Greens'],
    ['#c00000', 'Reds'],
    ['purple', 'Purples'],
    ['#888888', 'Greys'],
  ])('shows the opacity of %s as the scheme %s', (fill, scheme) => {
    expect(migrated({ color: { mode: 'opacity', fill, reverse: true } }).color).toMatchObject({
      scheme,
      reverse: false,
      scale: 'linear',
    });
  });

  it('is log where an exponent makes rare cells visible', () => {
    const scale = (exponent?: number) =>
      migrated({ color: { mode: 'opacity', scale: 'exponential', ...(exponent && { exponent }) } }).color.scale;
    expect([scale(0.2), scale(), scale(2)]).toEqual(['log', 'log', 'linear']);
  });

  it('knows all their color schemes', () => {
    // As public/app/plugins/panel/heatmap/palettes.ts of Grafana 12.4 lists them.
    const names =
      'BrBG PiYG PRGn PuOr RdBu RdGy RdYlBu RdYlGn Spectral Blues Greens Greys Oranges Purples Reds Turbo Cividis ' +
      'Viridis Magma Inferno Plasma Warm Cool Cubehelix BuGn BuPu GnBu OrRd PuBuGn PuBu PuRd RdPu YlGnBu YlGn YlOrBr ' +
      'YlOrRd Rainbow Sinebow';
    for (const scheme of names.split(' ')) {
      expect(migrated({ color: { scheme } }).color.scheme).toBe(scheme);
    }
    expect(migrated({ color: { scheme: 'no such scheme' } }).color.scheme).toBe('Oranges');
  });

  it('finds the scale of the Y axis wherever it is', () => {
    const fields = (type: string) => ({ defaults: { custom: { scaleDistribution: { type } } }, overrides: [] });
    expect(fromHeatmap({}, fields('log')).yAxis?.scale).toBe('log');
    // As each panel is saved: nobody has chosen it.
    expect(fromHeatmap({}, fields('linear')).yAxis?.scale).toBe('auto');
    expect(migrated({ rowsFrame: { yBucketScale: { type: 'linear' } } }).yAxis.scale).toBe('linear');
    expect(migrated({ rowsFrame: { yBucketScale: { type: 'symlog', linearThreshold: 4 } } }).yAxis).toMatchObject({
      scale: 'symlog',
      linearUpTo: 4,
    });
    const calculation = { yBuckets: { scale: { type: 'log', log: 2 } } };
    expect(migrated({ calculate: true, calculation }).yAxis.scale).toBe('log');
    expect(migrated({ calculate: false, calculation }).yAxis.scale).toBe('auto');
  });

  it('shows no cells by default that they hide, and hides none by default that they show', () => {
    expect(migrated({ filterValues: { le: 1e-9 } }).color).not.toHaveProperty('hideUpTo');
    expect(migrated({ filterValues: { le: 0 } }).color).not.toHaveProperty('hideUpTo');
  });
});

it('changing another panel into this one begins with our defaults', () => {
  const fieldConfig = { defaults: {}, overrides: [] };
  const panel = {} as Parameters<typeof changeFromHeatmap>[0];
  expect(changeFromHeatmap(panel, 'timeseries', { legend: { show: false } }, fieldConfig)).toEqual({});
  expect(changeFromHeatmap(panel, 'heatmap', { legend: { show: false } }, fieldConfig).legend).toEqual({ show: false });
});
