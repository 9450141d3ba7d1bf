import { memo } from 'react';
import type { TimeZone } from '@grafana/schema';
import { measureText, useTheme2 } from '@grafana/ui';
import type { Heat } from './heat';
import { type Scale, toPixel } from './scale';
import { timeTicks, valueTicks } from './ticks';
import type { Writer } from './words';

/** Size of the labels, in pixels. */
export const fontSize = 12;
const tick = 4;
const gap = 4;

/** The longest a name of a row may be, in pixels. */
const longestName = 180;

/** The labels of a value axis, and how wide they need it to be. Rows that have names are labelled with them. */
export function valueLabels(scale: Scale, write: Writer, { rowNames, yField }: Heat, unit = yField.config.unit) {
  const place = (value: number) => scale.length - toPixel(scale, value);
  const labels = rowNames
    ? namedRows(rowNames, scale.length).map(({ row, text }) => ({ at: place(row + 0.5), text }))
    : valueTicks(scale, unit === 'bytes').map((value) => ({ at: place(value), text: write(value) }));
  const width = Math.max(0, ...labels.map(({ text }) => measureText(text, fontSize).width));
  return { labels, width: Math.ceil(width) + tick + 2 * gap };
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

interface ValueAxisProps {
  labels: Array<{ at: number; text: string }>;
  width: number;
  height: number;
}

/** The axis to the left of a plot. */
export const ValueAxis = memo(function ValueAxis({ labels, width, height }: ValueAxisProps) {
  const theme = useTheme2();
  return (
    <svg width={width} height={height} overflow="visible" aria-hidden fontSize={fontSize}>
      {labels.map(({ at, text }) => (
        <g key={at} transform={`translate(${width} ${at})`}>
          <line x1={-tick} x2={0} stroke={theme.colors.border.medium} />
          <text
            x={-tick - gap}
            // Labels at the ends stay inside of the plot.
            y={Math.min(Math.max(0, fontSize / 2 - at), height - at - fontSize / 2)}
            dominantBaseline="central"
            textAnchor="end"
            fill={theme.colors.text.secondary}
          >
            {text}
          </text>
        </g>
      ))}
    </svg>
  );
});

interface ColumnAxisProps {
  across: Scale;
  /** Writes what bins are; times are written by themselves. */
  write?: Writer;
  height: number;
  timeZone: TimeZone;
}

/** The axis below the plots. */
export const ColumnAxis = memo(function ColumnAxis({ across, write, height, timeZone }: ColumnAxisProps) {
  const theme = useTheme2();
  const room = measureText('00:00:00', fontSize).width + 24;
  const { length: width, min, max } = across;
  const most = Math.max(1, Math.floor(width / room));
  const ticks = write
    ? // Bins are divided as a value axis with as many labels would be.
      valueTicks({ ...across, length: most * 34 }).map((value) => ({ time: value, text: write(value) }))
    : timeTicks(min, max, most, timeZone);
  return (
    <svg width={width} height={height} overflow="visible" aria-hidden fontSize={fontSize}>
      {ticks.map(({ time, text }) => (
        <g key={time} transform={`translate(${toPixel(across, time)} 0)`}>
          <line y1={0} y2={tick} stroke={theme.colors.border.medium} />
          <text y={tick + gap} dominantBaseline="hanging" textAnchor="middle" fill={theme.colors.text.secondary}>
            {text}
          </text>
        </g>
      ))}
    </svg>
  );
});
