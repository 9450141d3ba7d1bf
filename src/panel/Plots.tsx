import { css } from '@emotion/css';
import { Fragment, useState } from 'react';
import type { AbsoluteTimeRange, GrafanaTheme2 } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { useStyles2 } from '@grafana/ui';
import type { Ramp } from '../renderer';
import { AnnotationLines, AnnotationMarks } from './AnnotationLayer';
import type { Annotation } from './annotations';
import { ColumnAxis, ValueAxis } from './axes';
import type { Heat } from './heat';
import { Plot, type Pointed, type Pointing } from './Plot';
import type { Arrangement } from './useArrangement';
import { describeTimes } from './words';

interface Props {
  heats: Heat[];
  arrangement: Arrangement;
  ramp: Ramp;
  /** One for each step of the ramp. */
  colours: string[];
  gap: number;
  annotations: Annotation[];
  timeZone: TimeZone;
  /** What is pointed at, in which of the plots, and how. */
  pointing?: Pointing & { plot: number };
  pointed?: Pointed;
  /** The time that is pointed at in any plot, and in other panels. */
  time?: number;
  onPoint: (plot: number, at: Pointing | undefined) => void;
  /** Called with true when a range begins to be selected, and with false when it is no more. */
  onBrushing: (isBrushing: boolean) => void;
  onSelect: (range: AbsoluteTimeRange) => void;
}

/** A plot for each series, on one axis of time or bins. */
export function Plots(props: Props) {
  const { heats, arrangement, annotations, timeZone, pointing, pointed, onPoint, onBrushing } = props;
  const { across, range, scales, labels, axisWidth, plotWidth, plotHeight, nameHeight, timeAxisHeight } = arrangement;
  const styles = useStyles2(getStyles);
  const [brush, setBrush] = useState<AbsoluteTimeRange>();
  const isTime = heats[0].xIsTime;

  const onBrush = (brushed: AbsoluteTimeRange | undefined) => {
    setBrush(brushed);
    onBrushing(brushed !== undefined);
  };

  return (
    <>
      <div className={styles.plots} style={{ maxHeight: arrangement.plotsHeight, paddingTop: arrangement.topMargin }}>
        {heats.map((heat, i) => (
          <Fragment key={`${i} ${heat.name}`}>
            {nameHeight > 0 && (
              <div
                className={styles.name}
                style={{ paddingLeft: axisWidth, height: nameHeight, lineHeight: `${nameHeight}px` }}
                title={heat.name}
              >
                {heat.name}
              </div>
            )}
            <div className={styles.row}>
              <ValueAxis labels={labels[i]} width={axisWidth} height={plotHeight} />
              <Plot
                heat={heat}
                ramp={props.ramp}
                colours={props.colours}
                across={across}
                scale={scales[i]}
                gap={props.gap}
                label={labelOf(heat, range, timeZone)}
                pointed={pointing?.plot === i ? pointed : undefined}
                pointing={pointing?.plot === i ? pointing : undefined}
                time={props.time}
                brush={brush}
                onPoint={(at) => onPoint(i, at)}
                onBrush={onBrush}
                onSelect={props.onSelect}
              >
                {isTime && (
                  <AnnotationLines
                    // The texts are written once, at the top.
                    annotations={annotations}
                    isWritten={i === 0}
                    range={range}
                    width={plotWidth}
                    height={plotHeight}
                  />
                )}
              </Plot>
            </div>
          </Fragment>
        ))}
      </div>
      <div className={styles.timeAxis} style={{ marginLeft: axisWidth, height: timeAxisHeight }}>
        <ColumnAxis across={across} write={arrangement.writeColumn} height={timeAxisHeight} timeZone={timeZone} />
        {isTime && <AnnotationMarks annotations={annotations} range={range} width={plotWidth} timeZone={timeZone} />}
      </div>
    </>
  );
}

function labelOf(heat: Heat, range: AbsoluteTimeRange, timeZone: TimeZone): string {
  const what = heat.name || 'Heat';
  return heat.xIsTime ? `Heatmap of ${what}, ${describeTimes(range, timeZone)}` : `Heatmap of ${what}`;
}

const getStyles = (theme: GrafanaTheme2) => ({
  plots: css({ overflowX: 'hidden', overflowY: 'auto' }),
  row: css({ display: 'flex' }),
  name: css({
    fontSize: theme.typography.bodySmall.fontSize,
    color: theme.colors.text.secondary,
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
  }),
  timeAxis: css({ position: 'relative' }),
});
