import { type KeyboardEvent, useRef } from 'react';
import type { AbsoluteTimeRange } from '@grafana/data';
import type { Bounds } from '../bounds';

/**
 * Selects a window of time by keys: arrows with Shift extend it from column to
 * column, Enter chooses it, and any other key gives it up.
 */
export function useWindowKeys(
  columns: Bounds,
  onBrush: (range: AbsoluteTimeRange | undefined) => void,
  onChoose: (range: AbsoluteTimeRange) => void
) {
  const anchor = useRef<number>(undefined);
  const brushed = useRef<AbsoluteTimeRange>(undefined);

  const brush = (range: AbsoluteTimeRange | undefined) => {
    brushed.current = range;
    onBrush(range);
  };
  const giveUp = () => {
    anchor.current = undefined;
    if (brushed.current) {
      brush(undefined);
    }
  };
  return {
    giveUp,
    /** Takes a key that ends the selection of a window; says whether it did. */
    settle(event: KeyboardEvent): boolean {
      const range = brushed.current;
      if (!range || event.key === 'Shift' || (event.shiftKey && event.key.startsWith('Arrow'))) {
        return false;
      }
      giveUp();
      if (event.key === 'Enter') {
        onChoose(range);
      }
      if (event.key === 'Enter' || event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        return true;
      }
      return false;
    },
    /** Takes a step from a column to another: with Shift, the window reaches there. */
    extend(event: KeyboardEvent, from: number, to: number) {
      if (event.shiftKey) {
        anchor.current ??= from;
        const [first, last] = [Math.min(anchor.current, to), Math.max(anchor.current, to)];
        brush({ from: columns.from[first], to: columns.to[last] });
      }
    },
  };
}
