import type { DataFrame } from '@grafana/data';
import { type Comparison, isComparison, readComparisons } from './difference/comparison';
import { MalformedFrame } from './fields';
import { readHeats } from './frames';
import { type Heat, isEmpty, sumHeats } from './heat';
import { defaultOptions, type Options } from './options';
import { misfit } from './picture';
import { pointFrames, readPoints, sumPoints } from './points/events';

/** What the panel found in its frames. */
export interface Reading {
  /** Those with something to see. */
  heats: Heat[];
  /** Why there is nothing to draw, in words for the user; undefined where there is just no data. */
  problem?: string;
}

/** Reads all that the panel draws. `columnWidth`, in milliseconds, is that of a column that does not say it. */
export function readPanel(frames: DataFrame[], options: Options, columnWidth: number): Reading {
  return reading<Reading>({ heats: [] }, () => {
    const draw = options.draw ?? defaultOptions.draw;
    const points = pointFrames(frames, draw);
    if (draw.as === 'points' && points.length === 0 && frames.length > 0) {
      throw new MalformedFrame(`no points: no frame has a field of times and one of numbers; choose to draw cells`);
    }
    const heats = (points.length > 0 ? readPoints(points) : readHeats(frames, columnWidth)).filter(
      (heat) => !isEmpty(heat)
    );
    const problem = misfit(heats, options.yAxis);
    if (problem || heats.length === 0) {
      return { heats: [], problem: problem ?? said(frames) };
    }
    // Values of gauges do not add up to anything.
    const adds = options.series === 'sum' && !heats.some((heat) => heat.rowNames);
    const add = points.length > 0 ? sumPoints : sumHeats;
    const shown = adds ? [add(heats, 'All series')] : heats;
    const { hideUpTo: upTo, hideFrom: from } = options.color;
    for (const heat of shown) {
      heat.hides = upTo !== undefined || from !== undefined ? { upTo, from } : undefined;
    }
    return { heats: shown };
  });
}

/** What frames with nothing to draw say of it: warnings rather than remarks. */
function said(frames: DataFrame[]): string | undefined {
  const notices = frames.flatMap(({ meta }) => meta?.notices ?? []);
  const warnings = notices.filter(({ severity }) => severity !== 'info');
  return (warnings.length > 0 ? warnings : notices).map(({ text }) => text).join('; ') || undefined;
}

/** What comparisons the panel found in frames, and why it can draw none of them. */
export interface Compared {
  comparisons: Comparison[];
  problem?: string;
}

/** Reads comparisons, where frames are of any. */
export function readCompared(frames: DataFrame[], columnWidth: number): Compared {
  return reading<Compared>({ comparisons: [] }, () => ({
    comparisons: isComparison(frames) ? readComparisons(frames, columnWidth) : [],
  }));
}

/** Reads frames, or says what is wrong with them. */
function reading<R extends { problem?: string }>(nothing: R, read: () => R): R {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedFrame) {
      return { ...nothing, problem: error.message };
    }
    throw error;
  }
}
