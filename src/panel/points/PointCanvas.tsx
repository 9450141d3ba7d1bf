import { memo, useEffect, useRef } from 'react';
import { type ClosedRamp, type OpenRamp, type Points, sigmas, type Surface, tableOf } from '../../renderer';
import type { Heat } from '../heat';
import { drawable, evenOn, placeOf, type Scale } from '../scale';
import { useSurface } from '../useSurface';
import type { PointSeries } from './events';
import { goesOn } from './goesOn';

export interface PointCanvasProps {
  /** A series that has points. */
  heat: Heat;
  ramp: OpenRamp;
  /** One for each step of the ramp. */
  colours: string[];
  /** From left to right: time. Its length is the width of the canvas. */
  across: Scale;
  /** From the bottom up. Its length is the height of the canvas. */
  scale: Scale;
  /** In CSS pixels. */
  sigma: number;
  /** In milliseconds; ink does not fade when not set. */
  halfLife?: number;
  label: string;
  /** Told how the points were coloured. */
  onRamp: (ramp: ClosedRamp) => void;
}

/** The points of one series, painted off the main thread. Of points that were given before only those that are new are given. */
export const PointCanvas = memo(function PointCanvas(props: PointCanvasProps) {
  const { heat, ramp, colours, across, scale, sigma, halfLife, label, onRamp } = props;
  // The series that the surface has, and which axis their places are on.
  const given = useRef<{ series: PointSeries; axis: string; surface: Surface }>(null);
  const { holder, surface, lost, problem } = useSurface(label, (painting) => {
    if (painting.points) {
      onRamp(painting.points);
    } else {
      given.current = null;
    }
  });

  useEffect(() => {
    const shown = surface.current;
    const series = heat.points;
    if (!shown || !series) {
      return;
    }
    const density = shown.canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1;
    // What is 0 has no place on a log scale: it is in the lowest bucket, as in cells.
    const buckets = drawable(heat.y, scale);
    const isNowhere = (value: number) => scale.kind === 'log' && value <= 0;
    const lowest = isNowhere(heat.y.from[0]) ? Math.sqrt(buckets.from[0] * buckets.to[0]) : undefined;
    const place = (value: number) =>
      evenOn(scale, isNowhere(value) && lowest !== undefined ? lowest : placeOf(scale, value));
    const axis = JSON.stringify([scale.kind, scale.linearUpTo, scale.order?.from, lowest]);
    const before = given.current;
    const isKept = before?.surface === shown && before.axis === axis;
    const change = isKept
      ? before.series === series
        ? { dropped: 0, from: series.times.length }
        : goesOn(before.series, series)
      : undefined;
    const [bottom, top] = [scale.min, scale.max].map((end) => evenOn(scale, end));
    shown.show({
      spray: {
        isNew: change === undefined,
        added: [placed(series, change?.from ?? 0, place)],
        dropped: change?.dropped ?? 0,
        x: { from: across.min, to: across.max },
        y: scale.isReversed ? { from: top, to: bottom } : { from: bottom, to: top },
        sigma: Math.min(sigmas.greatest, Math.max(sigmas.least, sigma * density)),
        halfLife,
        area: density ** 2,
      },
      ramp,
      table: tableOf(colours),
      width: Math.round(across.length * density),
      height: Math.round(scale.length * density),
    });
    given.current = { series, axis, surface: shown };
  }, [surface, heat, ramp, colours, across, scale, sigma, halfLife, lost]);

  return (
    <div ref={holder} style={{ width: across.length, height: scale.length }}>
      {problem && <div role="alert">{`${heat.name}: ${problem}`}</div>}
    </div>
  );
});

/** The points of a series from number `from` on, on the axes. */
function placed({ times, values, weights }: PointSeries, from: number, place: (value: number) => number): Points {
  return {
    x: times.slice(from),
    y: Float64Array.from(values.subarray(from), place),
    weight: weights.slice(from),
  } as Points;
}
