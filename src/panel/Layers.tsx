import { css } from '@emotion/css';
import { memo, useMemo, useState } from 'react';
import { type AbsoluteTimeRange, dateTimeFormat, type GrafanaTheme2, type ThresholdsConfig } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { useStyles2, useTheme2 } from '@grafana/ui';
import { fontSize } from './axes';
import { CellTooltip } from './CellTooltip';
import type { Exemplar } from './exemplars';
import type { Heat } from './heat';
import { spaced } from './labels';
import { type Line, pathOf, wordsOf } from './lines';
import { placeOf, type Scale, toPixel } from './scale';
import { barsOf, sumsOfRows } from './sums';
import { thresholdsOn } from './thresholds';
import type { CellWords, Writer } from './words';

/** The value that each line of a panel is drawn in. */
export function lineColour(theme: GrafanaTheme2, i: number): string {
  const { palette } = theme.visualization;
  return theme.visualization.getColorByName(palette[i % palette.length]);
}

interface ThresholdProps {
  config?: ThresholdsConfig;
  scale: Scale;
  width: number;
  write: Writer;
}

/** Values that are not to be passed, with what they are. */
export const ThresholdLines = memo(function ThresholdLines({ config, scale, width, write }: ThresholdProps) {
  const theme = useTheme2();
  const drawn = thresholdsOn(config, scale).map(({ place, value, percent, colour }) => {
    const y = scale.length - toPixel(scale, place);
    // Under the line where it is at the top: it has to be read.
    const out = y < fontSize + 4 ? 1 : -1;
    return {
      y,
      out,
      colour,
      at: y + out * (4 + fontSize / 2),
      text: value === undefined ? `${percent} %` : write(value),
    };
  });
  const written = spaced(drawn, () => fontSize, [0, scale.length]);
  return (
    <g data-testid="heat thresholds">
      {drawn.map((threshold, i) => {
        const { y, out, colour, text } = threshold;
        return (
          <g key={i} fontSize={fontSize}>
            <line
              x2={width}
              y1={y}
              y2={y}
              stroke={theme.visualization.getColorByName(colour)}
              strokeWidth={1.5}
              strokeDasharray="8 5"
            />
            {written.includes(threshold) && (
              <text
                x={width - 4}
                y={y + 4 * out}
                dominantBaseline={out > 0 ? 'hanging' : 'auto'}
                textAnchor="end"
                fill={theme.colors.text.primary}
                stroke={theme.colors.background.primary}
                strokeWidth={3}
                paintOrder="stroke"
              >
                {text}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
});

interface LineProps {
  lines: Line[];
  across: Scale;
  scale: Scale;
}

/** Series of numbers, on the axes of the heat. */
export const LineLayer = memo(function LineLayer({ lines, across, scale }: LineProps) {
  const theme = useTheme2();
  return (
    <g data-testid="heat lines" fill="none" strokeLinejoin="round">
      {lines.map((line, i) => {
        const path = line.problem
          ? ''
          : pathOf(
              line,
              (time) => toPixel(across, time),
              (value) =>
                line.top === undefined
                  ? scale.length - toPixel(scale, placeOf(scale, value))
                  : scale.length * (1 - value / line.top)
            );
        return (
          path && (
            <g key={i}>
              {/* On heat of any colour it is told by what is around it. */}
              <path d={path} stroke={theme.colors.background.primary} strokeWidth={4} strokeOpacity={0.7} />
              <path d={path} stroke={lineColour(theme, i)} strokeWidth={2} />
            </g>
          )
        );
      })}
    </g>
  );
});

/** Which line is which, and why one is not there. */
export function LineLegend({ lines }: { lines: Line[] }) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  return (
    <ul className={styles.legend} aria-label="Lines">
      {lines.map(({ name, problem, ...line }, i) => (
        <li key={i} title={problem && `${name}: not drawn, ${problem}`}>
          <svg width={14} height={10} aria-hidden>
            <line
              x2={14}
              y1={5}
              y2={5}
              stroke={problem ? theme.colors.text.disabled : lineColour(theme, i)}
              strokeWidth={2}
            />
          </svg>{' '}
          {problem
            ? `${name}: not drawn, ${problem}`
            : name + (line.top === undefined ? '' : `, 0 to ${wordsOf({ name, ...line }, line.top)}`)}
        </li>
      ))}
    </ul>
  );
}

interface ExemplarProps {
  exemplars: Exemplar[];
  colour: string;
  range: AbsoluteTimeRange;
  across: Scale;
  scale: Scale;
  write: Writer;
  timeZone: TimeZone;
}

/**
 * Marks of single measurements. They are one stop of the Tab key: arrow keys
 * move among them, Enter follows the link of one.
 */
export const ExemplarMarks = memo(function ExemplarMarks(props: ExemplarProps) {
  const { exemplars, colour, range, across, scale, write, timeZone } = props;
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const [shown, setShown] = useState<{ i: number; at: { x: number; y: number } }>();
  const [current, setCurrent] = useState(0);
  const seen = useMemo(
    () =>
      exemplars
        .map((exemplar) => ({
          exemplar,
          x: toPixel(across, exemplar.time),
          y: scale.length - toPixel(scale, placeOf(scale, exemplar.value)),
        }))
        .filter(({ exemplar: { time }, y }) => time >= range.from && time <= range.to && y >= 0 && y <= scale.length),
    [exemplars, across, scale, range]
  );
  if (seen.length === 0) {
    return null;
  }
  const wordsOf = ({ time, value, facts }: Exemplar): CellWords => ({
    series: 'Exemplar',
    where: dateTimeFormat(time, { timeZone, format: 'YYYY-MM-DD HH:mm:ss.SSS' }),
    facts: [{ name: 'Value', text: write(value) }, ...facts],
  });
  const focus = (target: HTMLElement, i: number) => {
    setCurrent(i);
    (target.parentElement?.children[i] as HTMLElement | undefined)?.focus();
  };
  return (
    <div role="group" aria-label={`${seen.length} exemplars. Arrow keys move among them.`}>
      {seen.map(({ exemplar, x, y }, i) => {
        const { time, facts, value, link } = exemplar;
        const label = [...wordsOf(exemplar).facts.map((fact) => `${fact.name} ${fact.text}`)].join(', ');
        const show = (target: Element) => {
          const box = target.getBoundingClientRect();
          setShown({ i, at: { x: box.right, y: box.bottom } });
        };
        const common = {
          className: styles.mark,
          style: { left: x, top: y, background: theme.visualization.getColorByName(colour) },
          'aria-label': `Exemplar, ${label}`,
          tabIndex: i === Math.min(current, seen.length - 1) ? 0 : -1,
          onPointerEnter: (event: React.PointerEvent) => show(event.currentTarget),
          onPointerLeave: () => setShown(undefined),
          // The plot beneath begins to select at a press.
          onPointerDown: (event: React.PointerEvent) => event.stopPropagation(),
          onPointerMove: (event: React.PointerEvent) => event.stopPropagation(),
          onPointerUp: (event: React.PointerEvent) => event.stopPropagation(),
          onFocus: (event: React.FocusEvent) => show(event.currentTarget),
          onBlur: () => setShown(undefined),
          onKeyDown: (event: React.KeyboardEvent<HTMLElement>) => {
            event.stopPropagation();
            const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            if (step && seen[i + step]) {
              event.preventDefault();
              focus(event.currentTarget, i + step);
            }
          },
        };
        const key = `${time} ${value} ${facts[0]?.text ?? i}`;
        return link ? (
          <a
            key={key}
            {...common}
            href={link.href}
            target={link.target}
            rel="noopener noreferrer"
            onClick={link.onClick}
          >
            {null}
          </a>
        ) : (
          <button key={key} type="button" {...common} />
        );
      })}
      {shown && seen[shown.i] && <CellTooltip words={wordsOf(seen[shown.i].exemplar)} position={shown.at} />}
    </div>
  );
});

/** How many hits rows have altogether, to the right of a plot. */
export const RowHistogram = memo(function RowHistogram({
  heat,
  range,
  scale,
  width,
}: {
  heat: Heat;
  range: AbsoluteTimeRange;
  scale: Scale;
  width: number;
}) {
  const theme = useTheme2();
  const sums = useMemo(() => sumsOfRows(heat, range), [heat, range]);
  const bars = useMemo(() => barsOf(sums, heat.y, scale), [sums, heat, scale]);
  return (
    <svg width={width} height={scale.length} aria-hidden data-testid="row histogram" style={{ flex: 'none' }}>
      {bars.map(({ from, to, part }, i) => (
        <rect
          key={i}
          x={4}
          width={Math.max(1, part * (width - 4))}
          y={scale.length - to}
          height={Math.max(1, to - from)}
          fill={theme.colors.text.disabled}
        />
      ))}
    </svg>
  );
});

/** How many hits columns have altogether, over a plot. */
export const ColumnHistogram = memo(function ColumnHistogram({
  heat,
  across,
  height,
}: {
  heat: Heat;
  across: Scale;
  height: number;
}) {
  const theme = useTheme2();
  const bars = useMemo(() => barsOf(heat.totals, heat.x, across), [heat, across]);
  const room = height - 4;
  // One path: columns may be many, and come anew each second.
  const path = bars
    .map(({ from, to, part }) => `M${from.toFixed(1)} ${room}v${(-part * room).toFixed(1)}H${to.toFixed(1)}V${room}z`)
    .join('');
  return (
    <svg width={across.length} height={height} aria-hidden data-testid="column histogram" style={{ display: 'block' }}>
      <path d={path} fill={theme.colors.text.disabled} />
    </svg>
  );
});

const getStyles = (theme: GrafanaTheme2) => ({
  legend: css({
    display: 'flex',
    gap: theme.spacing(2),
    margin: 0,
    padding: 0,
    listStyle: 'none',
    minWidth: 0,
    overflow: 'hidden',
    fontSize: theme.typography.bodySmall.fontSize,
    lineHeight: '12px',
    color: theme.colors.text.secondary,
    '& li': { whiteSpace: 'nowrap', overflow: 'hidden', textOverflow: 'ellipsis' },
  }),
  mark: css({
    position: 'absolute',
    width: '8px',
    height: '8px',
    margin: '-4px 0 0 -4px',
    padding: 0,
    border: `1px solid ${theme.colors.background.primary}`,
    transform: 'rotate(45deg)',
    cursor: 'pointer',
    '&:hover, &:focus-visible': { outline: `2px solid ${theme.colors.text.maxContrast}`, outlineOffset: '1px' },
  }),
});
