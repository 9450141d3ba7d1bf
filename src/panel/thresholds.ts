import { type ThresholdsConfig, ThresholdsMode } from '@grafana/data';
import { type Extent, placeOf, type Scale, toPixel, toValue } from './scale';

/** A value that is not to be passed, as of a service level. */
export interface Threshold {
  /** Where on the value axis: see [placeOf]. */
  place: number;
  /** In the unit of the axis; undefined where it is said in percent of the axis. */
  value?: number;
  percent?: number;
  /** A CSS colour, or the name of one in the theme. */
  colour: string;
}

/** The thresholds of a field's config that lie on an axis. The first step is what is below all others. */
export function thresholdsOn(config: ThresholdsConfig | undefined, scale: Scale): Threshold[] {
  const steps = (config?.steps ?? []).filter(({ value }) => Number.isFinite(value));
  const isPercent = config?.mode === ThresholdsMode.Percentage;
  return steps
    .map(({ value, color }) => {
      const fromBottom = scale.isReversed ? scale.length * (1 - value / 100) : (scale.length * value) / 100;
      return isPercent
        ? { place: toValue(scale, fromBottom), percent: value, colour: color }
        : { place: placeOf(scale, value), value, colour: color };
    })
    .filter(({ place }) => isOn(scale, place));
}

function isOn(scale: Extent & { length: number }, place: number): boolean {
  const pixel = toPixel(scale, place);
  return Number.isFinite(pixel) && pixel >= 0 && pixel <= scale.length;
}
