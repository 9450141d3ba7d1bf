import { css } from '@emotion/css';
import { memo } from 'react';
import type { TimeZone } from '@grafana/schema';
import { measureText, useStyles2, useTheme2 } from '@grafana/ui';
import type { Bounds } from './bounds';
import type { Heat } from './heat';
import { type AxisLabel, insideOf, spaced } from './labels';
import { rightMargin } from './layout';
import { type Scale, toPixel } from './scale';
import { openCells, timeTicks, valueTicks } from './ticks';
import type { Writer } from './words';

/** Size of the labels, in pixels. */
export const fontSize = 12;
const tick = 4;
const gap = 4;

/** The longest a name of a row may be, in pixels. */
const longestName = 180;

/** The labels of a value axis, from the top. Rows that have names are labelled with them. */
export function valueLabels(scale: Scale, write: Writer, heat: Heat, all: Bounds[], unit?: string): AxisLabel[] {
  const place = (value: number) => scale.length - toPixel(scale, value);
  if (heat.rowNames) {
    return namedRows(heat.rowNames, scale.length).map(({ row, text }) => ({ at: place(row + 0.5), text }));
  }
  const isBinary = (unit ?? heat.yField.config.unit) === 'bytes';
  const labelsOf = (divided: number) => {
    const { numbers, middles } = numberLabels({ ...scale, length: divided }, place, write, all, isBinary);
    const isMiddle = (label: AxisLabel) => middles.includes(label);
    return spaced([...numbers, ...middles], () => fontSize, [0, scale.length], isMiddle);
  };
  // One label says nothing of how values rise: then finer ones are tried, of which another may have room.
  const tries = [1, 3, 9].map((finer) => labelsOf(finer * scale.length));
  return tries.find((labels) => labels.length > 1) ?? tries[0];
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
): { numbers: AxisLabel[]; middles: AxisLabel[] } {
  const open = openCells(all, scale);
  const middles = open.map(({ from, to, text }) => ({ at: (place(from) + place(to)) / 2, text }));
  const isFree = ({ at, value }: { at: number; value: number }) =>
    open.every(({ from, to }) => value <= from || value >= to) &&
    middles.every((label) => Math.abs(label.at - at) > fontSize);
  const numbers = valueTicks(scale, isBinary)
    .map((label) => ({ value: label.value, at: place(label.place), text: write(label.value) }))
    .filter(isFree)
    .map(({ at, text }) => ({ at, text }));
  return { numbers, middles };
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
              y={insideOf(at, fontSize, [0, height]) - at}
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

/** Where labels of the axis below a plot may be: beside a plot without an axis there is no room for the half of one. */
const endsOf = (width: number): [number, number] => [0, width + rightMargin];

/** About how far apart two of them are, beside what they take themselves, in pixels. */
const columnGap = 24;

const widthOfText = ({ text }: { text: string }) => measureText(text, fontSize).width;

/** The labels of the axis below the plots. Without a `write` it is one of time. */
export function columnLabels(across: Scale, write: Writer | undefined, all: Bounds[], timeZone: TimeZone): AxisLabel[] {
  const mostOf = (text: string) => Math.max(1, Math.floor(across.length / (widthOfText({ text }) + columnGap)));
  const place = (value: number) => toPixel(across, value);
  const sizeOf = (label: AxisLabel) => widthOfText(label) + columnGap / 2;
  const most = mostOf('00:00:00');
  if (!write) {
    const ticksOf = (n: number) =>
      timeTicks(across.min, across.max, n, timeZone).map(({ time, text }) => ({ at: place(time), text }));
    const coarse = ticksOf(most);
    // How long they are depends on how far apart they are: where they are short, more have room.
    const fine = coarse.length > 0 ? ticksOf(Math.max(most, mostOf(coarse[0].text))) : coarse;
    const fits = (ticks: AxisLabel[]) => spaced(ticks, sizeOf, endsOf(across.length)).length === ticks.length;
    if (coarse.length > 0) {
      return fits(fine) ? fine : spaced(coarse, sizeOf, endsOf(across.length));
    }
    // Where there is room for few, none of them may be in the range.
    const some = [2, 3, 4].map((more) => ticksOf(most * more)).find((ticks) => ticks.length > 0) ?? [];
    return spaced(some, sizeOf, endsOf(across.length));
  }
  // Bins are divided as a value axis with as many labels would be.
  const { numbers, middles } = numberLabels({ ...across, length: most * 34 }, place, write, all, false);
  return spaced([...numbers, ...middles], sizeOf, endsOf(across.length), (label) => middles.includes(label));
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
        const middle = insideOf(at, widthOfText({ text }), endsOf(width));
        return (
          <g key={`${at} ${text}`} transform={`translate(${at} 0)`}>
            <line y1={0} y2={tick} stroke={theme.colors.border.medium} />
            <text
              x={middle - at}
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
