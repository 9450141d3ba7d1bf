import { memo } from 'react';
import type { AbsoluteTimeRange } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { measureText, useTheme2 } from '@grafana/ui';
import { type Scale, toPixel } from './scale';
import { timeTicks, valueTicks } from './ticks';
import type { Writer } from './words';

/** Size of the labels, in pixels. */
export const fontSize = 12;
const tick = 4;
const gap = 4;

/** The labels of a value axis, and how wide they need it to be. */
export function valueLabels(scale: Scale, write: Writer) {
  const labels = valueTicks(scale).map((value) => ({ at: scale.length - toPixel(scale, value), text: write(value) }));
  const width = Math.max(0, ...labels.map(({ text }) => measureText(text, fontSize).width));
  return { labels, width: Math.ceil(width) + tick + 2 * gap };
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

interface TimeAxisProps {
  range: AbsoluteTimeRange;
  isTime: boolean;
  width: number;
  height: number;
  timeZone: TimeZone;
}

/** The axis below the plots. */
export const TimeAxis = memo(function TimeAxis({ range, isTime, width, height, timeZone }: TimeAxisProps) {
  const theme = useTheme2();
  const room = measureText('00:00:00', fontSize).width + 24;
  const most = Math.max(1, Math.floor(width / room));
  const scale: Scale = { log: false, min: range.from, max: range.to, length: width };
  const ticks = isTime
    ? timeTicks(range.from, range.to, most, timeZone)
    : // A number axis is divided as a value axis with as many labels would be.
      valueTicks({ ...scale, length: most * 34 }).map((value) => ({ time: value, text: String(value) }));
  return (
    <svg width={width} height={height} overflow="visible" aria-hidden fontSize={fontSize}>
      {ticks.map(({ time, text }) => (
        <g key={time} transform={`translate(${toPixel(scale, time)} 0)`}>
          <line y1={0} y2={tick} stroke={theme.colors.border.medium} />
          <text y={tick + gap} dominantBaseline="hanging" textAnchor="middle" fill={theme.colors.text.secondary}>
            {text}
          </text>
        </g>
      ))}
    </svg>
  );
});
