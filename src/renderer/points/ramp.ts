import { type Ramp, ranksOf } from '../ramp';
import type { Shaded } from './field';

/** A ramp of ink: how much of it there will be nobody knows before. */
export type OpenRamp = Omit<Ramp, 'min' | 'max' | 'ranks'> &
  Partial<Pick<Ramp, 'min' | 'max'>> & {
    /** Where the max is open: it is at least this, for pictures that share their colours. */
    reach?: number;
  };

/** A ramp whose ends are known. */
export interface ClosedRamp {
  ramp: Ramp;
  /** Up to where it would have to go for this picture alone. */
  own: number;
}

/** Ends that are left open are on these, so many in a factor of ten: in a live picture colours stay what they are for a while. */
const stepsOfDecade = 10;

/**
 * Closes the ends of a ramp: at the least ink that is drawn, or at none where
 * the scale has a place for that, and over the most. `before` is up to
 * where the same points went a moment ago: it is kept while it is not far away.
 */
export function rampOn({ reach = 0, ...open }: OpenRamp, shaded: Shaded, before?: number): ClosedRamp {
  const { greatest, faintest, grid } = shaded;
  const isRank = open.scale === 'rank';
  const min = open.min ?? (open.scale === 'log' || isRank ? faintest : 0);
  const most = Math.max(greatest, 2 * Math.max(min, faintest));
  const isNear = before !== undefined && most <= before && most > before / 2;
  const own = isNear ? before : roundedUp(most);
  const max = open.max ?? Math.max(own, reach);
  const ramp: Ramp = { ...open, min: open.scale === 'log' && !(min > 0) ? faintest : min, max };
  if (ramp.scale === 'log' && ramp.midpoint !== undefined && !(ramp.midpoint > 0)) {
    delete ramp.midpoint;
  }
  return { ramp: isRank ? { ...ramp, ranks: ranksOf([grid.values]) } : ramp, own };
}

const roundedUp = (value: number) => 10 ** (Math.ceil(Math.log10(value) * stepsOfDecade) / stepsOfDecade);
