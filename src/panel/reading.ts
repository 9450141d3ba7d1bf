import type { DataFrame } from '@grafana/data';
import { type Heat, isEmpty, MalformedFrame, readHeats, sumHeats } from './heat';
import type { Options } from './options';
import { misfit } from './picture';

/** What the panel found in its frames. */
export interface Reading {
  /** Those with something to see. */
  heats: Heat[];
  /** Why there is nothing to draw, in words for the user; undefined where there is just no data. */
  problem?: string;
}

/** Reads all that the panel draws. `columnWidth`, in milliseconds, is that of a column that does not say it. */
export function readPanel(frames: DataFrame[], options: Options, columnWidth: number): Reading {
  try {
    const heats = readHeats(frames, columnWidth).filter((heat) => !isEmpty(heat));
    const problem = misfit(heats, options.yAxis);
    if (problem || heats.length === 0) {
      return { heats: [], problem };
    }
    // Values of gauges do not add up to anything.
    const adds = options.series === 'sum' && !heats.some((heat) => heat.rowNames);
    const shown = adds ? [sumHeats(heats, 'All series')] : heats;
    const { hideUpTo: upTo, hideFrom: from } = options.color;
    for (const heat of shown) {
      heat.hides = upTo !== undefined || from !== undefined ? { upTo, from } : undefined;
    }
    return { heats: shown };
  } catch (error) {
    if (error instanceof MalformedFrame) {
      return { heats: [], problem: error.message };
    }
    throw error;
  }
}
