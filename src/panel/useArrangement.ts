import { useMemo } from 'react';
import { type AbsoluteTimeRange, LoadingState, type PanelProps } from '@grafana/data';
import { axisNameWidth, columnLabels, valueLabels, widthOf } from './axes';
import type { Heat } from './heat';
import type { AxisLabel } from './labels';
import { type Layout, layOut, leftsOf } from './layout';
import { defaultOptions, type Options } from './options';
import { columnScale, valueScale } from './picture';
import type { Extent, Scale } from './scale';
import { useSharedAxis } from './sharedAxis';
import { columnWriter, valueWriter } from './words';

/** Where everything in the panel lies, in CSS pixels, and on which scales. */
export interface Arrangement extends Layout {
  /** From the left of a plot to its right: time, or bins. Its length is the width of a plot. */
  across: Scale;
  /** The same as a range, of times where columns are times. */
  range: AbsoluteTimeRange;
  /** From the bottom of each plot to its top. Their length is the height of a plot. */
  scales: Scale[];
  /** The labels of each plot's value axis. */
  labels: AxisLabel[][];
  columnLabels: AxisLabel[];
  side: 'left' | 'right';
  /** Where the plots of each column begin, from the left. */
  lefts: number[];
  /** Whether each plot has a value axis of its own. */
  hasOwnAxes: boolean;
}

/** How high a plot is about, when it is not known yet how wide its labels are. */
const someHeight = 200;

/**
 * Arranges the plots of series in a panel. `fit` are those that the value axis
 * has room for: more than there are plots for where they are shown elsewhere
 * on the same axis.
 */
export function useArrangement(heats: Heat[], props: PanelProps<Options>, fit = heats): Arrangement {
  const { data, options, width, height, timeRange, timeZone } = props;
  const { xAxis, yAxis } = options;
  const isStreaming = data.state === LoadingState.Streaming;

  const own = useMemo(() => valueScale(fit, yAxis), [fit, yAxis]);
  // Axes of one name and different units have nothing to share.
  const unit = yAxis.unit || heats[0]?.yField.config.unit || '';
  const group = yAxis.group && JSON.stringify([data.request?.dashboardUID, yAxis.group, unit]);
  const shared = useSharedAxis(own, group || undefined);
  const extents = useMemo(
    (): Extent[] => heats.map(({ rowNames }) => (rowNames ? { kind: 'linear', min: 0, max: rowNames.length } : shared)),
    [heats, shared]
  );
  const labelsAt = useMemo(() => {
    const all = fit.map((heat) => heat.y);
    return (plotHeight: number) =>
      heats.map((heat, i) =>
        valueLabels({ ...extents[i], length: plotHeight }, valueWriter(heat, yAxis), heat, all, yAxis.unit)
      );
  }, [heats, fit, extents, yAxis]);
  const hasOwnAxes = heats.some(({ rowNames }) => rowNames);

  const layout = useMemo(() => {
    const arranged = (axisWidth: number) =>
      layOut({
        width,
        height,
        plots: heats.length,
        series: options.series,
        // The panel's title says what a single series is; a grid says how much of the hits it has.
        isNamed: heats.length > 1 || (heats.length === 1 && heats[0].isGrid),
        legend: options.legend.show,
        axisWidth,
        hasOwnAxes,
        isColumnNamed: Boolean(xAxis.label),
        histograms: options.histograms ?? defaultOptions.histograms,
      });
    if (yAxis.placement === 'hidden') {
      return arranged(0);
    }
    // How wide the labels are depends on the height, and the other way round only where rows are laid out anew.
    const named = yAxis.label ? axisNameWidth : 0;
    const widest = (plotHeight: number) => named + Math.max(0, ...labelsAt(plotHeight).map(widthOf));
    return arranged(widest(arranged(widest(someHeight)).plotHeight));
  }, [width, height, heats, options, hasOwnAxes, labelsAt, xAxis.label, yAxis.placement, yAxis.label]);

  const { plotWidth, plotHeight } = layout;
  const side = yAxis.placement === 'right' ? 'right' : 'left';
  const scales = useMemo(() => extents.map((extent) => ({ ...extent, length: plotHeight })), [extents, plotHeight]);
  const labels = useMemo(() => labelsAt(plotHeight), [labelsAt, plotHeight]);
  const across = useMemo(
    () => ({
      ...columnScale(heats, timeRange, isStreaming, xAxis, Math.round(plotWidth * window.devicePixelRatio)),
      length: plotWidth,
    }),
    [heats, timeRange, isStreaming, xAxis, plotWidth]
  );
  return {
    ...layout,
    across,
    range: useMemo(() => {
      // What is said of it is said in full milliseconds.
      const { min, max } = columnScale(heats, timeRange, isStreaming, xAxis);
      return { from: min, to: max };
    }, [heats, timeRange, isStreaming, xAxis]),
    scales,
    labels,
    columnLabels: useMemo(() => {
      const write = heats.length > 0 && !heats[0].xIsTime ? columnWriter(heats[0], xAxis) : undefined;
      const all = heats.map((heat) => heat.x);
      return columnLabels(across, write, write ? all : [], timeZone);
    }, [heats, across, xAxis, timeZone]),
    side,
    lefts: useMemo(() => leftsOf(layout, side, hasOwnAxes), [layout, side, hasOwnAxes]),
    hasOwnAxes,
  };
}
