import { useMemo } from 'react';
import { type AbsoluteTimeRange, LoadingState, type PanelProps } from '@grafana/data';
import { valueLabels } from './axes';
import type { Heat } from './heat';
import type { Options } from './options';
import { columnScale, valueScale } from './picture';
import type { Scale } from './scale';
import { columnWriter, valueWriter, type Writer } from './words';

const legendHeight = 34;
const timeAxisHeight = 24;
const nameHeight = 18;
/** Plots are not made lower than this: the panel scrolls instead. */
const leastPlotHeight = 32;
/** Room for half of the last label of the time axis. */
const rightMargin = 12;
/** Room for half of the uppermost label of the value axis. */
const topMargin = 4;

/** Where everything in the panel lies, in CSS pixels, and on which scales. */
export interface Arrangement {
  /** From the left of a plot to its right: time, or bins. Its length is the width of a plot. */
  across: Scale;
  /** The same as a range, of times where columns are times. */
  range: AbsoluteTimeRange;
  /** Writes what bins are; undefined where columns are times. */
  writeColumn?: Writer;
  /** From the bottom of each plot to its top. Their length is the height of a plot. */
  scales: Scale[];
  /** The labels of each plot's value axis. */
  labels: Array<Array<{ at: number; text: string }>>;
  axisWidth: number;
  plotWidth: number;
  plotHeight: number;
  /** Over each plot; 0 where plots have no names. */
  nameHeight: number;
  /** Over the first plot. */
  topMargin: number;
  /** What is seen of the plots: where they are higher together, they scroll. */
  plotsHeight: number;
  timeAxisHeight: number;
  legendHeight: number;
}

/** Arranges the plots of series one below the other in a panel. */
export function useArrangement(heats: Heat[], props: PanelProps<Options>): Arrangement {
  const { data, options, width, height, timeRange } = props;
  const isStreaming = data.state === LoadingState.Streaming;
  // The panel's title says what a single series is; a grid says how much of the hits it has.
  const isNamed = heats.length > 1 || (heats.length === 1 && heats[0].isGrid);
  const names = isNamed ? nameHeight : 0;
  const legend = options.legend.show ? legendHeight : 0;
  const plotsHeight = height - legend - timeAxisHeight;
  const plotHeight = Math.max(
    leastPlotHeight,
    Math.floor((plotsHeight - topMargin) / Math.max(1, heats.length)) - names
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
    () => ({ ...columnScale(heats, timeRange, isStreaming, options.xAxis), length: plotWidth }),
    [heats, timeRange, isStreaming, options.xAxis, plotWidth]
  );
  return {
    across,
    range: useMemo(() => ({ from: across.min, to: across.max }), [across]),
    writeColumn: useMemo(() => (heats.length > 0 && !heats[0].xIsTime ? columnWriter(heats[0]) : undefined), [heats]),
    scales,
    labels: useMemo(() => axes.map((axis) => axis.labels), [axes]),
    axisWidth,
    plotWidth,
    plotHeight,
    nameHeight: names,
    topMargin,
    plotsHeight,
    timeAxisHeight,
    legendHeight: legend,
  };
}
