import { css } from '@emotion/css';
import { memo } from 'react';
import { type AbsoluteTimeRange, dateTimeFormat, type GrafanaTheme2 } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { measureText, Tooltip, useStyles2, useTheme2 } from '@grafana/ui';
import type { Annotation } from './annotations';
import { fontSize } from './axes';
import { sideOfAnnotation } from './strip/choice';
import { type Choosing, nextStep } from './strip/useChoosing';

interface Props {
  annotations: Annotation[];
  range: AbsoluteTimeRange;
  width: number;
}

/** Lines, regions and, where there is room, texts over the plots. */
export const AnnotationLines = memo(function AnnotationLines({
  annotations,
  range,
  width,
  height,
  isWritten,
}: Props & { height: number; isWritten: boolean }) {
  const theme = useTheme2();
  const place = (time: number) => ((time - range.from) / (range.to - range.from)) * width;
  const seen = annotations.filter((a) => (a.timeEnd ?? a.time) >= range.from && a.time <= range.to);
  // From the right, so that each text knows where the next begins.
  let next = width;
  const texts = seen.map(() => '');
  for (let i = seen.length - 1; i >= 0; i--) {
    const at = place(seen[i].time);
    if (seen[i].isTold) {
      continue;
    }
    texts[i] = measureText(seen[i].text, fontSize).width + 8 <= next - at ? seen[i].text : '';
    next = Math.min(next, at);
  }
  return (
    <g>
      {seen.map((annotation, i) => {
        const colour = theme.visualization.getColorByName(annotation.colour ?? 'blue');
        const x = place(annotation.time);
        const end = annotation.timeEnd && annotation.timeEnd > annotation.time ? place(annotation.timeEnd) : undefined;
        return (
          <g key={i}>
            {end !== undefined && <rect x={x} width={end - x} height={height} fill={colour} fillOpacity={0.12} />}
            <line x1={x} x2={x} y2={height} stroke={colour} strokeWidth={1.5} strokeDasharray="4 3" />
            {isWritten && texts[i] && (
              <text
                x={x + 4}
                y={4}
                dominantBaseline="hanging"
                fontSize={fontSize}
                fill={theme.colors.text.primary}
                stroke={theme.colors.background.primary}
                strokeWidth={3}
                paintOrder="stroke"
              >
                {texts[i]}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
});

/** A mark below the plots for each annotation, that can be hovered and focused for its text. */
export const AnnotationMarks = memo(function AnnotationMarks({
  annotations,
  range,
  width,
  timeZone,
  choosing,
}: Props & { timeZone: TimeZone; choosing?: Choosing }) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  return annotations
    .filter(({ time }) => time >= range.from && time <= range.to)
    .map((annotation, i) => {
      const when = dateTimeFormat(annotation.time, { timeZone });
      const { text, tags } = annotation;
      const side = sideOfAnnotation(annotation, annotations);
      return (
        // A tooltip sets handlers of its own on what it is of.
        <span
          key={i}
          onClick={() => choosing?.choose(side)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && choosing?.choice.baseline) {
              event.stopPropagation();
              choosing.clear();
            }
          }}
          onPointerDown={() => choosing?.grab(side)}
          onPointerUp={() => choosing?.drop(side)}
        >
          <Tooltip
            content={
              <>
                <div>{when}</div>
                <div>{text}</div>
                {tags.length > 0 && <div>{tags.join(', ')}</div>}
                {choosing && <em>{nextStep(choosing, side)}</em>}
              </>
            }
          >
            <button
              type="button"
              aria-label={`Annotation at ${when}: ${text}`}
              className={styles.mark}
              style={{
                left: ((annotation.time - range.from) / (range.to - range.from)) * width,
                borderBottomColor: theme.visualization.getColorByName(annotation.colour ?? 'blue'),
              }}
            />
          </Tooltip>
        </span>
      );
    });
});

const getStyles = (theme: GrafanaTheme2) => ({
  mark: css({
    position: 'absolute',
    top: 0,
    marginLeft: '-5px',
    padding: 0,
    width: 0,
    height: 0,
    background: 'none',
    border: '5px solid transparent',
    borderTopWidth: 0,
    borderBottomWidth: '6px',
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: '2px' },
  }),
});
