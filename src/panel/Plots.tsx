import { css } from '@emotion/css';
import { type ReactNode, useState } from 'react';
import type { AbsoluteTimeRange, GrafanaTheme2 } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { useStyles2 } from '@grafana/ui';
import type { Measure, Ramp } from '../renderer';
import { AnnotationLines, AnnotationMarks } from './AnnotationLayer';
import type { Annotation } from './annotations';
import { ColumnAxis, ValueAxis } from './axes';
import type { Heat } from './heat';
import { ColumnHistogram, RowHistogram } from './Layers';
import { shortNames } from './names';
import { type Cell, Plot, type Pointed, type Pointing } from './Plot';
import type { Ink } from './points/useInk';
import type { Scale } from './scale';
import { measureOf } from './shown';
import type { Choosing } from './strip/useChoosing';
import type { Arrangement } from './useArrangement';
import { describeTimes } from './words';

interface Props {
  heats: Heat[];
  arrangement: Arrangement;
  /** What of the cells their colours show. */
  measure: Measure;
  ramp: Ramp;
  /** One for each step of the ramp. */
  colours: string[];
  mutedColour?: string;
  /** How the points of a plot are drawn. */
  inkOf: (plot: number) => Ink;
  gap: number;
  /** What the values are, and the columns; written along the axes. */
  axisName?: string;
  columnAxisName?: string;
  /** What is drawn over the plot of a series. */
  layersOf: (heat: Heat, scale: Scale) => ReactNode;
  /** What is over the plot of a series, and can be pointed at and focused. */
  marksOf: (heat: Heat, scale: Scale) => ReactNode;
  annotations: Annotation[];
  /** How annotations are chosen to be compared, where they can be. */
  choosing?: Choosing;
  timeZone: TimeZone;
  /** What is pointed at, in which of the plots, and how. */
  pointing?: Pointing & { plot: number };
  pointed?: Pointed;
  /** The time that is pointed at in any plot, and in other panels. */
  time?: number;
  onPoint: (plot: number, at: Pointing | undefined) => void;
  /** Called with true when a range begins to be selected, and with false when it is no more. */
  onBrushing: (isBrushing: boolean) => void;
  /** A window is selected with the Shift key. */
  onSelect: (range: AbsoluteTimeRange, isWindow: boolean) => void;
  /** Called when a user wants to see what is in a cell of a plot; says whether that is shown. */
  onOpen?: (plot: number, cell: Cell) => boolean;
}

/** A plot for each series, side by side or one below the other, on one axis of time or bins. */
export function Plots(props: Props) {
  const { heats, arrangement, annotations, timeZone, pointing, pointed, onPoint, onBrushing } = props;
  const { across, range, scales, columns, side, hasOwnAxes, plotWidth, plotHeight, nameHeight } = arrangement;
  const styles = useStyles2(getStyles);
  const [brush, setBrush] = useState<AbsoluteTimeRange>();
  const isTime = heats[0].xIsTime;
  const names = shortNames(heats.map(({ name }) => name));

  const onBrush = (brushed: AbsoluteTimeRange | undefined) => {
    setBrush(brushed);
    onBrushing(brushed !== undefined);
  };

  /** How far a plot in a column is from the left of its cell: where the first has the value axis, or all. */
  const indentOf = (column: number) => (side === 'left' && (hasOwnAxes || column === 0) ? arrangement.axisWidth : 0);
  const hasAxis = (column: number) =>
    arrangement.axisWidth > 0 && (hasOwnAxes || column === (side === 'left' ? 0 : columns - 1));

  const axisOf = (i: number) => (
    <ValueAxis
      labels={arrangement.labels[i]}
      width={arrangement.axisWidth}
      height={plotHeight}
      side={side}
      name={props.axisName}
    />
  );

  return (
    <>
      <div className={styles.plots} style={{ maxHeight: arrangement.plotsHeight, paddingTop: arrangement.topMargin }}>
        {Array.from({ length: arrangement.rows }, (_, row) => (
          <div key={row} className={styles.row}>
            {heats.slice(row * columns, (row + 1) * columns).map((heat, column) => {
              const i = row * columns + column;
              return (
                <div key={`${i} ${heat.name}`} style={{ paddingRight: arrangement.rightMargin }}>
                  {nameHeight > 0 && (
                    <div
                      className={styles.name}
                      style={{
                        marginLeft: indentOf(column),
                        width: plotWidth,
                        height: nameHeight,
                        lineHeight: `${nameHeight}px`,
                      }}
                      title={heat.name}
                    >
                      {names[i]}
                    </div>
                  )}
                  {arrangement.topHeight > 0 && (
                    <div style={{ marginLeft: indentOf(column) }}>
                      <ColumnHistogram heat={heat} across={across} height={arrangement.topHeight} />
                    </div>
                  )}
                  <div className={styles.row}>
                    {side === 'left' && hasAxis(column) && axisOf(i)}
                    <Plot
                      heat={heat}
                      measure={measureOf(heat, props.measure)}
                      ramp={props.ramp}
                      colours={props.colours}
                      mutedColour={props.mutedColour}
                      ink={props.inkOf(i)}
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
                      onOpen={props.onOpen && ((cell) => props.onOpen!(i, cell))}
                      marks={props.marksOf(heat, scales[i])}
                      canChooseWindow={isTime && props.choosing !== undefined}
                    >
                      {props.layersOf(heat, scales[i])}
                      {isTime && (
                        <AnnotationLines
                          // The texts are written once, at the top.
                          annotations={annotations}
                          isWritten={row === 0}
                          range={range}
                          width={plotWidth}
                          height={plotHeight}
                        />
                      )}
                    </Plot>
                    {arrangement.sideWidth > 0 && (
                      <RowHistogram heat={heat} range={range} scale={scales[i]} width={arrangement.sideWidth} />
                    )}
                    {side === 'right' && hasAxis(column) && axisOf(i)}
                  </div>
                </div>
              );
            })}
          </div>
        ))}
      </div>
      {arrangement.columnAxisHeight > 0 && (
        <div className={styles.row}>
          {Array.from({ length: columns }, (_, column) => (
            <div
              key={column}
              className={styles.columnAxis}
              data-testid="column axis"
              style={{
                marginLeft: indentOf(column),
                marginRight:
                  arrangement.rightMargin +
                  arrangement.sideWidth +
                  (side === 'right' && hasAxis(column) ? arrangement.axisWidth : 0),
                width: plotWidth,
              }}
            >
              <ColumnAxis
                labels={arrangement.columnLabels}
                width={plotWidth}
                height={arrangement.columnAxisHeight}
                name={props.columnAxisName}
              />
              {isTime && (
                <AnnotationMarks
                  annotations={annotations}
                  range={range}
                  width={plotWidth}
                  timeZone={timeZone}
                  choosing={props.choosing}
                />
              )}
            </div>
          ))}
        </div>
      )}
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
  columnAxis: css({ position: 'relative', flex: 'none' }),
});
