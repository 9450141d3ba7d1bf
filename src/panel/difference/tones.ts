import type { GrafanaTheme2 } from '@grafana/data';
import type { Ramp } from '../../renderer';
import { type Heat, isFilled } from '../heat';
import type { Options } from '../options';

/** An odd number, so that no difference has a colour of its own: the middle one. */
const steps = 129;

/** Of the differences that have a colour, this share lies within the ramp. */
const within = 0.95;

/**
 * The ramp of differences: as far on both sides of 0, so that colours of both
 * compare, up to the greatest that is significant, or, where none is, of all. But
 * a twentieth may lie beyond, in the last colour: in a second with two requests a
 * share is a half, and beside that all others would have no colour to see.
 */
export function differenceRamp(differences: Heat[], scale: Options['comparison']['scale']): Ramp {
  const sizes = (isCounted: (heat: Heat, cell: number) => boolean) =>
    Float64Array.from(
      differences.flatMap((heat) =>
        Array.from(heat.counts, (value, cell) => (isFilled(heat, cell) && isCounted(heat, cell) ? Math.abs(value) : 0))
      )
    )
      .filter((size) => size > 0)
      .sort();
  const coloured = sizes((heat, cell) => heat.difference?.muted[cell] === 0);
  const ordered = coloured.length > 0 ? coloured : sizes(() => true);
  const most = ordered[Math.ceil(within * ordered.length) - 1] ?? 1;
  return { min: -most, max: most, midpoint: 0, scale, steps };
}

/** The colour of cells that are not significant: told from the background, and not a colour that says something. */
export const mutedColour = (theme: GrafanaTheme2) => theme.colors.emphasize(theme.colors.background.primary, 0.12);
