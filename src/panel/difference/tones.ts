import type { GrafanaTheme2 } from '@grafana/data';
import type { Ramp } from '../../renderer';
import { type Heat, isFilled } from '../heat';
import type { Options } from '../options';

/** An odd number, so that no difference has a colour of its own: the middle one. */
const steps = 129;

/**
 * The ramp of differences: as far on both sides of 0, so that colours of both
 * compare, up to the greatest that is significant, or, where none is, of all.
 */
export function differenceRamp(differences: Heat[], scale: Options['comparison']['scale']): Ramp {
  const greatest = (isCounted: (heat: Heat, cell: number) => boolean) => {
    let most = 0;
    for (const heat of differences) {
      heat.counts.forEach((value, cell) => {
        most = isFilled(heat, cell) && isCounted(heat, cell) ? Math.max(most, Math.abs(value)) : most;
      });
    }
    return most;
  };
  const most = greatest((heat, cell) => heat.difference?.muted[cell] === 0) || greatest(() => true) || 1;
  return { min: -most, max: most, midpoint: 0, scale, steps };
}

/** The colour of cells that are not significant: told from the background, and not a colour that says something. */
export const mutedColour = (theme: GrafanaTheme2) => theme.colors.emphasize(theme.colors.background.primary, 0.12);
