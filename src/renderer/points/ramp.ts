import { type Ramp, ranksOf } from '../ramp';
import type { Shaded } from './field';

/** A ramp of ink: how much of it there will be nobody knows before. */
export type OpenRamp = Omit<Ramp, 'min' | 'max' | 'ranks'> & Partial<Pick<Ramp, 'min' | 'max'>>;

/** Ends that are left open are on these, so many in a factor of ten: in a live picture colours stay what they are for a while. */
const stepsOfDecade = 10;

/**
 * Closes the ends of a ramp: at the least ink that is drawn, or at none where
 * the scale has a place for that, and over the most. `before` is the ramp of
 * the same points a moment ago, whose end is kept while it is not far away.
 */
export function rampOn(open: OpenRamp, shaded: Shaded, before?: Ramp): Ramp {
  const { greatest, faintest, grid } = shaded;
  const isRank = open.scale === 'rank';
  const min = open.min ?? (open.scale === 'log' || isRank ? faintest : 0);
  const most = Math.max(greatest, 2 * Math.max(min, faintest));
  const isNear = before !== undefined && most <= before.max && most > before.max / 2;
  const max = open.max ?? (isNear ? before.max : roundedUp(most));
  const ramp: Ramp = { ...open, min: open.scale === 'log' && !(min > 0) ? faintest : min, max };
  if (ramp.scale === 'log' && ramp.midpoint !== undefined && !(ramp.midpoint > 0)) {
    delete ramp.midpoint;
  }
  return isRank ? { ...ramp, ranks: ranksOf([grid.values]) } : ramp;
}

const roundedUp = (value: number) => 10 ** (Math.ceil(Math.log10(value) * stepsOfDecade) / stepsOfDecade);
