import { css } from '@emotion/css';
import { type ReactNode, useMemo, useState } from 'react';
import {
  type AbsoluteTimeRange,
  DashboardCursorSync,
  type DataFrame,
  type GrafanaTheme2,
  LoadingState,
  type PanelProps,
} from '@grafana/data';
import { PanelDataErrorView } from '@grafana/runtime';
import { usePanelContext, useStyles2, useTheme2 } from '@grafana/ui';
import { coloursOf } from '../renderer';
import { AnnotationLines, AnnotationMarks } from './AnnotationLayer';
import { readAnnotations } from './annotations';
import { ColumnAxis, ValueAxis, valueLabels } from './axes';
import { CellTooltip } from './CellTooltip';
import { cellAt, type Heat, isFilled, MalformedFrame, readHeats, sumHeats } from './heat';
import { Legend } from './Legend';
import type { Options } from './options';
import { columnScale, misfit, rampOf, valueScale } from './picture';
import { find, Plot, type Pointing } from './Plot';
import { useSyncedTime } from './useSyncedTime';
import { columnWriter, describe, describeTimes, heatWriter, sayCell, valueWriter } from './words';

const legendHeight = 34;
const timeAxisHeight = 24;
const nameHeight = 18;
/** Plots are not made lower than this: the panel scrolls instead. */
const leastPlotHeight = 32;
/** Room for half of the last label of the time axis. */
const rightMargin = 12;
/** Room for half of the uppermost label of the value axis. */
const topMargin = 4;

interface Reading {
  heats: Heat[];
  problem?: string;
}

function read(frames: DataFrame[], options: Options, columnWidth: number): Reading {
  try {
    const heats = readHeats(frames, columnWidth).filter((heat) => heat.counts.some((_, cell) => isFilled(heat, cell)));
    const problem = misfit(heats, options.yAxis);
    if (problem || heats.length === 0) {
      return { heats: [], problem };
    }
    // Values of gauges do not add up to anything.
    const adds = options.series === 'sum' && !heats.some((heat) => heat.rowNames);
    return { heats: adds ? [sumHeats(heats, 'All series')] : heats };
  } catch (error) {
    if (error instanceof MalformedFrame) {
      return { heats: [], problem: error.message };
    }
    throw error;
  }
}

/** Heat over time, one plot for each series. */
export function HeatmapPanel(props: PanelProps<Options>) {
  const { data, options, width, height, timeRange, timeZone, fieldConfig, id, eventBus, onChangeTimeRange } = props;
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const { sync, onSelectRange } = usePanelContext();

  const { heats, problem } = useMemo(
    () => read(data.series, options, data.request?.intervalMs ?? 1000),
    [data.series, data.request?.intervalMs, options]
  );
  const ramp = useMemo(() => rampOf(heats, options.color), [heats, options.color]);
  const colours = useMemo(
    () => coloursOf(options.color.scheme, options.color.steps, theme.isDark, options.color.reverse),
    [options.color, theme.isDark]
  );
  const annotations = useMemo(() => readAnnotations(data.annotations ?? []), [data.annotations]);

  const [pointing, setPointing] = useState<Pointing & { plot: number }>();
  const [brush, setBrush] = useState<AbsoluteTimeRange>();
  const isSynced = sync?.() !== DashboardCursorSync.Off;
  const { theirs, publish } = useSyncedTime(eventBus, isSynced);

  const isTime = heats.length === 0 || heats[0].xIsTime;
  const onSelect = (selected: AbsoluteTimeRange) => {
    if (onSelectRange) {
      onSelectRange([{ x: selected }]);
    } else {
      onChangeTimeRange(selected);
    }
  };

  // The panel's title says what a single series is; a grid says how much of the hits it has.
  const isNamed = heats.length > 1 || heats[0]?.isGrid;
  const shownLegend = options.legend.show ? legendHeight : 0;
  const marks = height - shownLegend - timeAxisHeight - topMargin;
  const plotHeight = Math.max(
    leastPlotHeight,
    Math.floor(marks / Math.max(1, heats.length)) - (isNamed ? nameHeight : 0)
  );
  const scale = useMemo(
    () => ({ ...valueScale(heats, options.yAxis), length: plotHeight }),
    [heats, options.yAxis, plotHeight]
  );
  const scales = useMemo(
    () =>
      heats.map(({ rowNames }) =>
        rowNames ? { log: false, min: 0, max: rowNames.length, length: plotHeight } : scale
      ),
    [heats, scale, plotHeight]
  );
  const axes = useMemo(
    () => heats.map((heat, i) => valueLabels(scales[i], valueWriter(heat, options.yAxis), heat, options.yAxis.unit)),
    [heats, scales, options.yAxis]
  );
  const axisWidth = Math.max(0, ...axes.map((axis) => axis.width));
  const plotWidth = Math.max(1, width - axisWidth - rightMargin);
  const across = useMemo(
    () => ({
      ...columnScale(heats, timeRange, data.state === LoadingState.Streaming, options.xAxis),
      length: plotWidth,
    }),
    [heats, timeRange, data.state, options.xAxis, plotWidth]
  );
  const range = useMemo(() => ({ from: across.min, to: across.max }), [across]);
  const writeColumn = useMemo(() => (isTime ? undefined : columnWriter(heats[0])), [heats, isTime]);

  if (heats.length === 0) {
    return <PanelDataErrorView panelId={id} fieldConfig={fieldConfig} data={data} message={problem} />;
  }

  const plot = pointing && heats[pointing.plot] ? pointing.plot : -1;
  const pointed = pointing && plot >= 0 ? find(pointing, heats[plot], across, scales[plot]) : undefined;
  const words = pointed?.cell && describe(heats[plot], pointed.cell.column, pointed.cell.row, options.yAxis, timeZone);
  const count = pointed?.cell && heats[plot].counts[cellAt(heats[plot], pointed.cell.column, pointed.cell.row)];
  const time = isTime ? (pointed?.time ?? within(theirs, range)) : undefined;

  const onPoint = (i: number, at: Pointing | undefined) => {
    setPointing(at && { ...at, plot: i });
    if (isTime) {
      publish(at && find(at, heats[i], across, scales[i]).time);
    }
  };

  return (
    <div className={styles.panel} style={{ width, height }}>
      <div className={styles.plots} style={{ maxHeight: marks + topMargin, paddingTop: topMargin }}>
        {heats.map((heat, i) => (
          <Row key={`${i} ${heat.name}`} name={isNamed ? heat.name : undefined} indent={axisWidth}>
            <ValueAxis labels={axes[i].labels} width={axisWidth} height={plotHeight} />
            <Plot
              heat={heat}
              ramp={ramp}
              colours={colours}
              across={across}
              scale={scales[i]}
              gap={options.cellGap}
              label={labelOf(heat, range, timeZone)}
              pointed={plot === i ? pointed : undefined}
              pointing={plot === i ? pointing : undefined}
              time={time}
              brush={brush}
              onPoint={(at) => onPoint(i, at)}
              onBrush={setBrush}
              onSelect={onSelect}
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
          </Row>
        ))}
      </div>
      <div className={styles.timeAxis} style={{ marginLeft: axisWidth, height: timeAxisHeight }}>
        <ColumnAxis across={across} write={writeColumn} height={timeAxisHeight} timeZone={timeZone} />
        {isTime && <AnnotationMarks annotations={annotations} range={range} width={plotWidth} timeZone={timeZone} />}
      </div>
      {options.legend.show && (
        <div style={{ marginLeft: axisWidth, height: legendHeight }}>
          <Legend ramp={ramp} colours={colours} marked={count} write={heatWriter(heats[0], options.yAxis)} />
        </div>
      )}
      {options.tooltip.show && words && pointing && !brush && <CellTooltip words={words} position={pointing.client} />}
      <div className={styles.spoken} aria-live="polite" data-testid="heat readout">
        {pointing?.by === 'keys' && words ? sayCell(words) : ''}
      </div>
    </div>
  );
}

function within(time: number | undefined, { from, to }: AbsoluteTimeRange) {
  return time !== undefined && time >= from && time <= to ? time : undefined;
}

function labelOf(heat: Heat, range: AbsoluteTimeRange, timeZone: string): string {
  const what = heat.name || 'Heat';
  return heat.xIsTime ? `Heatmap of ${what}, ${describeTimes(range, timeZone)}` : `Heatmap of ${what}`;
}

function Row({ name, indent, children }: { name?: string; indent: number; children: ReactNode }) {
  const styles = useStyles2(getStyles);
  return (
    <>
      {name !== undefined && (
        <div className={styles.name} style={{ paddingLeft: indent }} title={name}>
          {name}
        </div>
      )}
      <div className={styles.row}>{children}</div>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  panel: css({ position: 'relative', overflow: 'hidden' }),
  plots: css({ overflowX: 'hidden', overflowY: 'auto' }),
  row: css({ display: 'flex' }),
  name: css({
    height: nameHeight,
    lineHeight: `${nameHeight}px`,
    fontSize: theme.typography.bodySmall.fontSize,
    color: theme.colors.text.secondary,
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
  }),
  timeAxis: css({ position: 'relative' }),
  spoken: css({
    position: 'absolute',
    width: '1px',
    height: '1px',
    overflow: 'hidden',
    clipPath: 'inset(50%)',
    whiteSpace: 'nowrap',
  }),
});
