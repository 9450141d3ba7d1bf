import { type RefObject, useEffect, useRef, useState } from 'react';
import { type Painting, Surface } from '../renderer';

const surfaces = new WeakMap<HTMLCanvasElement, Surface>();

/** A copy of what is painted on a surface's canvas; of another canvas itself. */
export async function pixelsOf(canvas: HTMLCanvasElement): Promise<CanvasImageSource> {
  return (await surfaces.get(canvas)?.pixels()) ?? canvas;
}

/**
 * Opens a surface in what `holder` refers to, and another when it is lost;
 * `lost` is how often it was. A new one has nothing of what the one before was
 * given. `onPainted` is told of each picture.
 */
export function useSurface(label: string, onPainted?: (painting: Painting) => void) {
  const holder = useRef<HTMLDivElement>(null);
  const surface = useRef<Surface>(null);
  const listener = useRef(onPainted);
  const [lost, setLost] = useState(0);
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    listener.current = onPainted;
  }, [onPainted]);

  useEffect(() => {
    const opened = new Surface(
      holder.current!,
      () => setLost((n) => n + 1),
      (painting) => {
        setProblem(painting.problem);
        listener.current?.(painting);
      }
    );
    opened.canvas.setAttribute('role', 'img');
    opened.canvas.style.cssText = 'display: block; width: 100%; height: 100%;';
    surface.current = opened;
    surfaces.set(opened.canvas, opened);
    return () => opened.close();
  }, [lost]);

  useEffect(() => {
    surface.current?.canvas.setAttribute('aria-label', label);
  }, [label, lost]);

  return { holder: holder as RefObject<HTMLDivElement>, surface, lost, problem };
}
