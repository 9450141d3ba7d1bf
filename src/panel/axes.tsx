import { css } from '@emotion/css';
import { memo } from 'react';
import type { TimeZone } from '@grafana/schema';
import { measureText, useStyles2, useTheme2 } from '@grafana/ui';
import type { Bounds } from './bounds';
import type { Heat } from './heat';
import { type Scale, toPixel } from './scale';
import { openCells, timeTicks, valueTicks } from './ticks';
import type { Writer } from './words';

/** Size of the labels, in pixels. */
export const fontSize = 12;
const tick = 4;
const gap = 4;

/** The longest a name of a row may be, in pixels. */
const longestName = 180;

/** A label of an axis: where it is, in pixels from the axis' beginning, and what it says. */
export interface AxisLabel {
  at: number;
  text: string;
}

/** The labels of a value axis, from the top. Rows that have names are labelled with them. */
export function valueLabels(scale: Scale, write: Writer, heat: Heat, all: Bounds[], unit?: string): AxisLabel[] {
  const place = (value: number) => scale.length - toPixel(scale, value);
  if (heat.rowNames) {
    return namedRows(heat.rowNames, scale.length).map(({ row, text }) => ({ at: place(row + 0.5), text }));
  }
  return numberLabels(scale, place, write, all, (unit ?? heat.yField.config.unit) === 'bytes');
}

/** How wide a value axis with these labels has to be. */
export function widthOf(labels: AxisLabel[]): number {
  const width = Math.max(0, ...labels.map(({ text }) => measureText(text, fontSize).width));
  return Math.ceil(width) + tick + 2 * gap;
}

/** Round numbers, and "0" and "∞" in the middle of cells that have no end. */
function numberLabels(
  scale: Scale,
  place: (value: number) => number,
  write: Writer,
  all: Bounds[],
  isBinary: boolean
): AxisLabel[] {
  const open = openCells(all, scale);
  const middles = open.map(({ from, to, text }) => ({ at: (place(from) + place(to)) / 2, text }));
  const isFree = ({ at, value }: { at: number; value: number }) =>
    open.every(({ from, to }) => value <= from || value >= to) &&
    middles.every((label) => Math.abs(label.at - at) > fontSize);
  const numbers = valueTicks(scale, isBinary)
    .map((label) => ({ value: label.value, at: place(label.place), text: write(label.value) }))
    .filter(isFree);
  return [...numbers.map(({ at, text }) => ({ at, text })), ...middles];
}

/** As many of the rows as have room for their names. */
function namedRows(names: string[], length: number) {
  const every = Math.max(1, Math.ceil(((fontSize + 2) * names.length) / Math.max(1, length)));
  return names.map((name, row) => ({ row, text: cut(name) })).filter(({ row }) => row % every === 0);
}

/** The beginning of a name that is too long to be written in full: the tooltip has all of it. */
function cut(name: string): string {
  let text = name;
  while (text.length > 1 && measureText(text, fontSize).width > longestName) {
    text = `${text.slice(0, -2)}…`;
  }
  return text;
}

/** What is between the ends of a value axis and its name. */
export const axisNameWidth = 18;

interface ValueAxisProps {
  labels: AxisLabel[];
  /** All of it, its name included. */
  width: number;
  height: number;
  side: 'left' | 'right';
  name?: string;
}

/** The axis beside a plot. */
export const ValueAxis = memo(function ValueAxis({ labels, width, height, side, name }: ValueAxisProps) {
  const theme = useTheme2();
  const out = side === 'left' ? -1 : 1;
  const middle = out * (width - axisNameWidth / 2);
  return (
    <svg width={width} height={height} overflow="visible" aria-hidden fontSize={fontSize} style={{ flex: 'none' }}>
      <g transform={`translate(${side === 'left' ? width : 0} 0)`}>
        {labels.map(({ at, text }) => (
          <g key={`${at} ${text}`} transform={`translate(0 ${at})`}>
            <line x1={out * tick} x2={0} stroke={theme.colors.border.medium} />
            <text
              x={out * (tick + gap)}
              // Labels at the ends stay inside of the plot.
              y={Math.min(Math.max(0, fontSize / 2 - at), height - at - fontSize / 2)}
              dominantBaseline="central"
              textAnchor={side === 'left' ? 'end' : 'start'}
              fill={theme.colors.text.secondary}
            >
              {text}
            </text>
          </g>
        ))}
        {name && (
          <text
            transform={`translate(${middle} ${height / 2}) rotate(-90)`}
            dominantBaseline="central"
            textAnchor="middle"
            fill={theme.colors.text.secondary}
          >
            {name}
          </text>
        )}
      </g>
    </svg>
  );
});

/** The labels of the axis below the plots. Without a `write` it is one of time. */
export function columnLabels(across: Scale, write: Writer | undefined, all: Bounds[], timeZone: TimeZone): AxisLabel[] {
  const room = measureText('00:00:00', fontSize).width + 24;
  const most = Math.max(1, Math.floor(across.length / room));
  const place = (value: number) => toPixel(across, value);
  if (!write) {
    return timeTicks(across.min, across.max, most, timeZone).map(({ time, text }) => ({ at: place(time), text }));
  }
  // Bins are divided as a value axis with as many labels would be.
  const labels = numberLabels({ ...across, length: most * 34 }, place, write, all, false);
  return labels.filter(({ at }, i) => labels.slice(0, i).every((other) => Math.abs(other.at - at) > room / 2));
}

interface ColumnAxisProps {
  labels: AxisLabel[];
  width: number;
  height: number;
  name?: string;
}

/** The axis below the plots. */
export const ColumnAxis = memo(function ColumnAxis({ labels, width, height, name }: ColumnAxisProps) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  return (
    <svg className={styles.columns} width={width} height={height} overflow="visible" aria-hidden fontSize={fontSize}>
      {labels.map(({ at, text }) => {
        const half = measureText(text, fontSize).width / 2;
        return (
          <g key={`${at} ${text}`} transform={`translate(${at} 0)`}>
            <line y1={0} y2={tick} stroke={theme.colors.border.medium} />
            <text
              // Beside a plot without an axis there is no room for the half of a label.
              x={Math.max(0, half - at)}
              y={tick + gap}
              dominantBaseline="hanging"
              textAnchor="middle"
              fill={theme.colors.text.secondary}
            >
              {text}
            </text>
          </g>
        );
      })}
      {name && (
        <text
          x={width / 2}
          y={height - gap}
          textAnchor="middle"
          dominantBaseline="auto"
          fill={theme.colors.text.secondary}
        >
          {name}
        </text>
      )}
    </svg>
  );
});

const getStyles = () => ({ columns: css({ display: 'block' }) });
