import { css } from '@emotion/css';
import { type KeyboardEvent, type PointerEvent, type ReactNode, useMemo, useRef } from 'react';
import type { AbsoluteTimeRange, GrafanaTheme2 } from '@grafana/data';
import { useStyles2, useTheme2 } from '@grafana/ui';
import { HeatCanvas, type HeatCanvasProps } from './HeatCanvas';
import { cellAt, type Heat, isFilled } from './heat';
import { move } from './keys';
import { PointCanvas } from './points/PointCanvas';
import type { Ink } from './points/useInk';
import { cellOf, drawable, placeOf, type Scale, toPixel, toValue } from './scale';
import { useWindowKeys } from './strip/useWindowKeys';

/**
 * Where a user points in a plot. A pointer stays where it is on the screen
 * while live columns move by beneath it; a cell chosen by keys moves along.
 */
export type Pointing =
  | { by: 'pointer'; x: number; y: number; client: { x: number; y: number } }
  | { by: 'keys'; time: number; value: number; client: { x: number; y: number } };

/** Which cell of a series. */
export interface Cell {
  column: number;
  row: number;
}

/** What is there. */
export interface Pointed {
  /** In milliseconds, or where it is among the bins. */
  time: number;
  value: number;
  /** The cell with a hit that is there. */
  cell?: Cell;
  /** The single measurement that is there, where those are drawn. */
  point?: { time: number; value: number };
}

/** Finds what a user points at. */
export function find(at: Pointing, heat: Heat, across: Scale, scale: Scale): Pointed {
  const { time, value } =
    at.by === 'keys' ? at : { time: toValue(across, at.x), value: toValue(scale, scale.length - at.y) };
  const column = cellOf(drawable(heat.x, across), time);
  const row = cellOf(drawable(heat.y, scale), value);
  const isHit = column >= 0 && row >= 0 && isFilled(heat, cellAt(heat, column, row));
  return { time, value, cell: isHit ? { column, row } : undefined };
}

interface Props extends HeatCanvasProps {
  /** How points are drawn, where the series has some. */
  ink: Ink;
  /** What the user points at in this plot, and how. */
  pointed?: Pointed;
  pointing?: Pointing;
  /** The time that is pointed at in any plot, and in other panels. */
  time?: number;
  /** The time that is being selected in any plot. */
  brush?: AbsoluteTimeRange;
  onPoint: (pointing: Pointing | undefined) => void;
  onBrush: (range: AbsoluteTimeRange | undefined) => void;
  /** A window is selected with the Shift key. */
  onSelect: (range: AbsoluteTimeRange, isWindow: boolean) => void;
  /** Whether windows can be compared. */
  canChooseWindow?: boolean;
  /** Called when a user wants to see what is in a cell; says whether that is shown. */
  onOpen?: (cell: Cell) => boolean;
  /** Drawn over the cells, in SVG. */
  children?: ReactNode;
  /** What is over the cells, and can be pointed at and focused. */
  marks?: ReactNode;
}

/** What leads up leads to lower values where the axis runs down. */
const turned: Record<string, string> = { ArrowUp: 'ArrowDown', ArrowDown: 'ArrowUp' };

const windowHint = ' With Shift they select a window of time, which Enter takes to be compared.';

/** A shorter drag than this, in pixels, is a click. */
const leastDrag = 5;

/** One series: its cells, and a cursor that a pointer or the arrow keys move. */
export function Plot(props: Props) {
  const { heat, across, scale, pointed, pointing, time, brush, onPoint, onBrush, onSelect, onOpen } = props;
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const box = useRef<HTMLDivElement>(null);
  const dragFrom = useRef<number>(undefined);
  /** The middle of the cell that was opened, to come back to with the focus. */
  const openedAt = useRef<{ time: number; value: number }>(undefined);
  const width = across.length;
  const rows = useMemo(() => drawable(heat.y, scale), [heat, scale]);
  const columns = useMemo(() => drawable(heat.x, across), [heat, across]);

  const left = (t: number) => toPixel(across, t);
  const top = (v: number) => scale.length - toPixel(scale, v);

  const pointAt = (event: PointerEvent) => {
    const rect = box.current!.getBoundingClientRect();
    return {
      by: 'pointer' as const,
      x: event.clientX - rect.left,
      y: event.clientY - rect.top,
      client: { x: event.clientX, y: event.clientY },
    };
  };

  const brushTo = (to: number): AbsoluteTimeRange | undefined => {
    const from = dragFrom.current;
    if (from === undefined || Math.abs(to - from) < leastDrag) {
      return undefined;
    }
    const timeAt = (x: number) => Math.round(toValue(across, Math.min(width, Math.max(0, x))));
    return { from: timeAt(Math.min(from, to)), to: timeAt(Math.max(from, to)) };
  };

  const middleOf = (column: number, row: number) => ({
    time: (columns.from[column] + columns.to[column]) / 2,
    value: (rows.from[row] + rows.to[row]) / 2,
  });

  const pointByKeys = ({ time: at, value }: { time: number; value: number }) => {
    const rect = box.current!.getBoundingClientRect();
    onPoint({ by: 'keys', time: at, value, client: { x: rect.left + left(at), y: rect.top + top(value) } });
  };

  const open = (wanted: Cell | undefined) => {
    if (wanted && onOpen?.(wanted)) {
      openedAt.current = middleOf(wanted.column, wanted.row);
      onPoint(undefined);
    }
  };

  const windowKeys = useWindowKeys(columns, onBrush, (range) => onSelect(range, true));

  const onKeyDown = (event: KeyboardEvent) => {
    if (windowKeys.settle(event)) {
      return;
    }
    if (event.key === 'Escape' && pointing) {
      // Only the cursor is left: not also the mode that the dashboard is in.
      event.stopPropagation();
      onPoint(undefined);
      return;
    }
    if (event.key === 'Enter' && pointed?.cell && onOpen) {
      event.preventDefault();
      open(pointed.cell);
      return;
    }
    const key = scale.isReversed ? (turned[event.key] ?? event.key) : event.key;
    const next = move(heat, { from: across.min, to: across.max }, pointed?.cell, key);
    if (next) {
      event.preventDefault();
      if (props.canChooseWindow) {
        windowKeys.extend(event, pointed?.cell?.column ?? next.column, next.column);
      }
      pointByKeys(middleOf(next.column, next.row));
    }
  };

  const cell = pointed?.cell;
  return (
    <div
      ref={box}
      className={styles.plot}
      style={{ width, height: scale.length }}
      tabIndex={0}
      role="application"
      aria-roledescription="heatmap"
      aria-label={`${props.label}. Arrow keys move from cell to cell${onOpen ? ', Enter opens one' : ''}.${props.canChooseWindow ? windowHint : ''}`}
      onKeyDown={onKeyDown}
      onFocus={() => {
        if (openedAt.current) {
          pointByKeys(openedAt.current);
          openedAt.current = undefined;
        }
      }}
      onBlur={() => {
        windowKeys.giveUp();
        if (pointing?.by === 'keys') {
          onPoint(undefined);
        }
      }}
      onPointerDown={(event) => {
        if (event.button === 0 && heat.xIsTime) {
          dragFrom.current = pointAt(event).x;
          event.currentTarget.setPointerCapture(event.pointerId);
        }
      }}
      onPointerMove={(event) => {
        const now = pointAt(event);
        onPoint(now);
        if (dragFrom.current !== undefined) {
          onBrush(brushTo(now.x));
        }
      }}
      onPointerUp={(event) => {
        const selected = brushTo(pointAt(event).x);
        dragFrom.current = undefined;
        onBrush(undefined);
        if (selected) {
          onSelect(selected, event.shiftKey);
        } else if (event.button === 0) {
          // What was pointed at before may be somewhere else: a tap points nowhere first.
          open(find(pointAt(event), heat, across, scale).cell);
        }
      }}
      onPointerCancel={() => {
        dragFrom.current = undefined;
        onBrush(undefined);
      }}
      onPointerLeave={() => onPoint(undefined)}
    >
      {heat.points ? (
        <PointCanvas {...props.ink} {...{ heat, across, scale }} colours={props.colours} label={props.label} />
      ) : (
        <HeatCanvas
          heat={heat}
          measure={props.measure}
          ramp={props.ramp}
          colours={props.colours}
          mutedColour={props.mutedColour}
          across={across}
          scale={scale}
          gap={props.gap}
          label={props.label}
        />
      )}
      <svg className={styles.overlay} width={width} height={scale.length} aria-hidden>
        <rect
          x={0.5}
          y={0.5}
          width={width - 1}
          height={scale.length - 1}
          fill="none"
          stroke={theme.colors.border.weak}
        />
        {props.children}
        {brush && (
          <rect
            x={left(brush.from)}
            width={left(brush.to) - left(brush.from)}
            height={scale.length}
            fill={theme.colors.primary.transparent}
            stroke={theme.colors.primary.border}
            data-testid="heat brush"
          />
        )}
        {time !== undefined && (
          <line
            className={styles.cursor}
            x1={left(time)}
            x2={left(time)}
            y2={scale.length}
            stroke={theme.colors.text.secondary}
            data-testid="heat cursor"
          />
        )}
        {pointed && (
          <line
            className={styles.cursor}
            x2={width}
            y1={top(pointed.value)}
            y2={top(pointed.value)}
            stroke={theme.colors.text.secondary}
          />
        )}
        {pointed?.point && (
          <circle
            cx={left(pointed.point.time)}
            cy={top(placeOf(scale, pointed.point.value))}
            r={5}
            fill="none"
            stroke={theme.colors.text.maxContrast}
            data-testid="heat point"
          />
        )}
        {cell && !(heat.points && pointing?.by === 'pointer') && (
          <rect
            x={left(columns.from[cell.column])}
            width={left(columns.to[cell.column]) - left(columns.from[cell.column])}
            y={Math.min(top(rows.from[cell.row]), top(rows.to[cell.row]))}
            height={Math.abs(top(rows.from[cell.row]) - top(rows.to[cell.row]))}
            fill="none"
            stroke={theme.colors.text.maxContrast}
          />
        )}
      </svg>
      {props.marks}
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  plot: css({
    position: 'relative',
    cursor: 'crosshair',
    touchAction: 'pan-y',
    background: theme.colors.background.primary,
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: '-2px' },
  }),
  overlay: css({ position: 'absolute', inset: 0, pointerEvents: 'none' }),
  cursor: css({ strokeDasharray: '3 3' }),
});
