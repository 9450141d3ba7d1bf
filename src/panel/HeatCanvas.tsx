import { memo, useEffect, useRef } from 'react';
import { type Measure, pixelOf, type Ramp, type Surface, tableOf } from '../renderer';
import type { Heat } from './heat';
import { columnEdges, gridOf, rowEdges } from './picture';
import type { Scale } from './scale';
import { isAddedUpHere, rowHeights, valuesOf } from './shown';
import { useSurface } from './useSurface';

export interface HeatCanvasProps {
  heat: Heat;
  /** What of the cells their colours show. */
  measure: Measure;
  ramp: Ramp;
  /** One for each step of the ramp. */
  colours: string[];
  /** From left to right: time, or bins. Its length is the width of the canvas. */
  across: Scale;
  /** From the bottom up. Its length is the height of the canvas. */
  scale: Scale;
  gap: number;
  label: string;
  /** A CSS colour: of those cells of a difference that are not significant. */
  mutedColour?: string;
}

/** The cells of one series, painted off the main thread. It is drawn anew only when what it shows has changed. */
export const HeatCanvas = memo(function HeatCanvas({
  heat,
  measure,
  ramp,
  colours,
  across,
  scale,
  gap,
  label,
  mutedColour,
}: HeatCanvasProps) {
  const { holder, surface, lost, problem } = useSurface(label);
  // The series whose numbers the surface has been given, and whether they were shares.
  const given = useRef<{ heat: Heat; areShares: boolean; surface: Surface }>(null);

  useEffect(() => {
    const shown = surface.current;
    if (!shown) {
      return;
    }
    const density = shown.canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1;
    const pixels = { width: Math.round(across.length * density), height: Math.round(scale.length * density) };
    const areShares = isAddedUpHere(heat, measure);
    const isGiven =
      given.current?.heat === heat && given.current.areShares === areShares && given.current.surface === shown;
    shown.show({
      grid: isGiven ? undefined : cellsToPaint(heat, areShares, scale),
      measure: areShares ? 'count' : measure,
      heights: measure === 'density' ? rowHeights(heat.y, scale) : undefined,
      ramp,
      table: tableOf(colours),
      muted: isGiven ? undefined : heat.difference?.muted.slice(),
      mutedColour: mutedColour === undefined ? undefined : pixelOf(mutedColour),
      x: columnEdges(heat.x, { ...across, length: pixels.width }),
      y: rowEdges(heat.y, { ...scale, length: pixels.height }),
      gap: Math.round(gap * density),
      ...pixels,
    });
    given.current = { heat, areShares, surface: shown };
  }, [surface, heat, measure, ramp, colours, across, scale, gap, mutedColour, lost]);

  return (
    <div ref={holder} style={{ width: across.length, height: scale.length }}>
      {problem && <div role="alert">{`${heat.name}: ${problem}`}</div>}
    </div>
  );
});

/** What a surface is given: the cells as they came, where it is to make all that is shown of them by itself. */
function cellsToPaint(heat: Heat, areShares: boolean, scale: Scale) {
  return areShares ? gridOf(heat, valuesOf(heat, 'share', scale)) : heat.wire && !heat.hides ? heat.wire : gridOf(heat);
}
