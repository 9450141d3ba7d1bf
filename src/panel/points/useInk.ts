import { useCallback, useMemo, useRef, useState } from 'react';
import type { ClosedRamp, OpenRamp, Ramp } from '../../renderer';
import type { Heat } from '../heat';
import { defaultOptions, type Options } from '../options';
import { isDiverging } from '../picture';
import type { PointCanvasProps } from './PointCanvas';

/** How points are drawn: what a canvas of a plot needs to know of it. */
export type Ink = Pick<PointCanvasProps, 'ramp' | 'sigma' | 'halfLife' | 'onRamp'>;

/** The ink of plots, and the ramps that they were drawn in, which are known only then. */
interface Inks {
  of: (plot: number) => Ink;
  rampOf: (plot: number) => Ramp | undefined;
}

/** Keeps the colours of all plots of points the same, however much ink each has. */
export function useInk(heats: Heat[], { color, draw = defaultOptions.draw }: Options): Inks {
  const [closed, setClosed] = useState<Array<ClosedRamp | undefined>>([]);
  const listeners = useRef(new Map<number, Ink['onRamp']>());

  const listenerOf = useCallback((plot: number) => {
    const onRamp: Ink['onRamp'] = (ramp) =>
      setClosed((all) => (isSame(all[plot], ramp) ? all : Object.assign([...all], { [plot]: ramp })));
    const known = listeners.current.get(plot) ?? onRamp;
    listeners.current.set(plot, known);
    return known;
  }, []);

  const { scale, steps, min, max, linearUpTo, midpoint, scheme } = color;
  const open = useMemo(
    () => ({ scale, steps, min, max, linearUpTo, midpoint: isDiverging(scheme) ? midpoint : undefined }),
    [scale, steps, min, max, linearUpTo, midpoint, scheme]
  );
  const reaches = heats.map((_, plot) =>
    Math.max(0, ...heats.map((__, i) => (i === plot ? 0 : (closed[i]?.own ?? 0))))
  );
  const key = reaches.join();
  const ramps = useMemo(
    () => key.split(',').map((reach): OpenRamp => ({ ...open, reach: Number(reach) })),
    [open, key]
  );

  return {
    of: (plot) => ({
      ramp: ramps[plot],
      sigma: draw.sigma,
      halfLife: draw.halfLife && 1000 * draw.halfLife,
      onRamp: listenerOf(plot),
    }),
    rampOf: (plot) => closed[plot]?.ramp,
  };
}

const isSame = (a: ClosedRamp | undefined, b: ClosedRamp) =>
  a !== undefined && !b.ramp.ranks && a.own === b.own && JSON.stringify(a.ramp) === JSON.stringify(b.ramp);

/** What the colours of ink show, in words for the legend. */
export function inkName({ points }: Heat, { draw = defaultOptions.draw }: Options): string {
  const fades = draw.halfLife ? `, half after ${draw.halfLife} s` : '';
  return `${points!.are} per pixel${fades}`;
}
