import { FieldType, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { heatOn } from '../renderer';
import type { Heat } from './heat';
import { defaultOptions, type Options } from './options';
import { gridOf, rampOf, valueScale } from './picture';
import { readPanel } from './reading';
import { densityFacts, isAddedUpHere, shownName, shownWriter, valueOn, valuesOf } from './shown';

/** Two columns: 2, 6 hits in buckets of 1 and 2 high, then 30 hits in a bucket of 4. */
const frame = toDataFrame({
  meta: { type: 'heatmap-cells' },
  fields: [
    { name: 'xMax', type: FieldType.time, config: { interval: 10 }, values: [10, 10, 20] },
    { name: 'yMin', type: FieldType.number, values: [1, 2, 4] },
    { name: 'yMax', type: FieldType.number, values: [2, 4, 8] },
    { name: 'count', type: FieldType.number, values: [2, 6, 30] },
  ],
});

function heatWith(color: Partial<Options['color']> = {}): Heat {
  return readPanel([frame], { ...defaultOptions, color: { ...defaultOptions.color, ...color } }, 10).heats[0];
}

const log = { kind: 'log' as const, min: 1, max: 8 };
const linear = { kind: 'linear' as const, min: 1, max: 8 };

describe('the colour of a cell shows', () => {
  it('its count', () => {
    expect([...valuesOf(heatWith(), 'count', log)]).toEqual([2, 6, NaN, NaN, NaN, 30]);
  });

  it('its share of the hits in its column', () => {
    expect([...valuesOf(heatWith(), 'share', log)]).toEqual([0.25, 0.75, NaN, NaN, NaN, 1]);
  });

  it('its count per unit of a linear axis, and per doubling on a log one, as areas of the picture', () => {
    expect([...valuesOf(heatWith(), 'density', linear)]).toEqual([2, 3, NaN, NaN, NaN, 7.5]);
    expect([...valuesOf(heatWith(), 'density', log)]).toEqual([2, 6, NaN, NaN, NaN, 30]);
  });

  it.each(['count', 'share', 'density'] as const)('the same %s whether one asks for one cell or for all', (measure) => {
    for (const heat of [heatWith(), heatWith({ hideUpTo: 2 })]) {
      const value = valueOn(heat, measure, linear);
      const one = Array.from({ length: 6 }, (_, cell) => value(Math.floor(cell / 3), cell % 3));
      expect(one).toEqual([...valuesOf(heat, measure, linear)]);
    }
  });
});

describe('a cell that is hidden', () => {
  it('is not drawn, but is in the sums that others are a share of', () => {
    const heat = heatWith({ hideUpTo: 2 });
    expect([...valuesOf(heat, 'share', log)]).toEqual([NaN, 0.75, NaN, NaN, NaN, 1]);
    expect([...gridOf(heat).values]).toEqual([NaN, 6, NaN, NaN, NaN, 30]);
    expect(heat.totals[0]).toBe(8);
    // Else the renderer would make 6 of 6 of it.
    expect(isAddedUpHere(heat, 'share')).toBe(true);
    expect(isAddedUpHere(heatWith(), 'share')).toBe(false);
  });

  it('may have too many hits, too', () => {
    expect([...gridOf(heatWith({ hideFrom: 6 })).values]).toEqual([2, NaN, NaN, NaN, NaN, NaN]);
  });
});

describe('the ramp', () => {
  const ramp = (color: Partial<Options['color']>) =>
    rampOf([heatWith()], { ...defaultOptions.color, ...color }, defaultOptions.yAxis);

  it('runs over what is shown', () => {
    expect(ramp({ measure: 'share' })).toMatchObject({ min: 0.25, max: 1 });
    expect(ramp({ measure: 'density', scale: 'linear' })).toMatchObject({ min: 0, max: 30 });
  });

  it('of quantiles gives equal steps to equally many cells', () => {
    const heat = heatOn(ramp({ scale: 'rank' }));
    expect([2, 6, 30].map((value) => Math.round(heat(value) * 100))).toEqual([0, 50, 100]);
  });

  it('has a midpoint only in schemes that diverge', () => {
    expect(ramp({ scheme: 'RdBu', midpoint: 6, scale: 'linear' }).midpoint).toBe(6);
    expect(heatOn(ramp({ scheme: 'RdBu', midpoint: 6, scale: 'linear' }))(6)).toBe(0.5);
    expect(ramp({ scheme: 'Inferno', midpoint: 6 }).midpoint).toBeUndefined();
    expect(ramp({ scheme: 'RdBu', midpoint: 0 }).midpoint).toBeUndefined();
  });
});

describe('the legend and the tooltip', () => {
  const heat = heatWith();

  it('say what the numbers are', () => {
    expect(shownName('share', log)).toBe('of column');
    expect(shownName('density', valueScale([heat], defaultOptions.yAxis))).toBe('per doubling');
    expect(shownWriter(heat, 'share', defaultOptions.yAxis)(0.125)).toBe('12.5%');
  });

  it('say a density beside the count', () => {
    expect(densityFacts(heat, 'density', linear, 7.5, defaultOptions.yAxis)).toEqual([
      { name: 'Count per unit', text: '7.50' },
    ]);
    expect(densityFacts(heat, 'count', linear, 30, defaultOptions.yAxis)).toEqual([]);
  });
});
