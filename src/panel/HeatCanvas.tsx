import { memo, useEffect, useRef, useState } from 'react';
import { type Measure, pixelOf, type Ramp, Surface, tableOf } from '../renderer';
import type { Heat } from './heat';
import { columnEdges, gridOf, rowEdges } from './picture';
import type { Scale } from './scale';
import { isAddedUpHere, rowHeights, valuesOf } from './shown';

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

const surfaces = new WeakMap<HTMLCanvasElement, Surface>();

/** A copy of what is painted on a canvas of heat; of another canvas itself. */
export async function pixelsOf(canvas: HTMLCanvasElement): Promise<CanvasImageSource> {
  return (await surfaces.get(canvas)?.pixels()) ?? canvas;
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
  const holder = useRef<HTMLDivElement>(null);
  const surface = useRef<Surface>(null);
  // The series whose numbers the surface has been given, and whether they were shares.
  const given = useRef<{ heat: Heat; areShares: boolean }>(null);
  const [lost, setLost] = useState(0);
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    const opened = new Surface(
      holder.current!,
      () => setLost((n) => n + 1),
      (painting) => setProblem(painting.problem)
    );
    opened.canvas.setAttribute('role', 'img');
    opened.canvas.style.cssText = 'display: block; width: 100%; height: 100%;';
    surface.current = opened;
    surfaces.set(opened.canvas, opened);
    given.current = null;
    return () => opened.close();
  }, [lost]);

  useEffect(() => {
    surface.current?.canvas.setAttribute('aria-label', label);
  }, [label, lost]);

  useEffect(() => {
    const shown = surface.current;
    if (!shown) {
      return;
    }
    const density = shown.canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1;
    const pixels = { width: Math.round(across.length * density), height: Math.round(scale.length * density) };
    const areShares = isAddedUpHere(heat, measure);
    const isGiven = given.current?.heat === heat && given.current.areShares === areShares;
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
    given.current = { heat, areShares };
  }, [heat, measure, ramp, colours, across, scale, gap, mutedColour, lost]);

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
