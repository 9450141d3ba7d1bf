// Grafana's own time series, as far as @grafana/ui makes it public: lines,
// bars and points with legend, tooltip, zoom, thresholds, annotations.
import { useLayoutEffect, useMemo } from 'react';
import {
  DashboardCursorSync,
  DataFrame,
  FieldColorModeId,
  FieldConfigProperty,
  FieldType,
  identityOverrideProcessor,
  PanelPlugin,
  PanelProps,
} from '@grafana/data';
import {
  GraphDrawStyle,
  GraphFieldConfig,
  LegendDisplayMode,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptions,
} from '@grafana/schema';
import { TimeSeries, TooltipPlugin, UPlotConfigBuilder, usePanelContext, useTheme2, ZoomPlugin } from '@grafana/ui';
import { PanelDataErrorView } from '../NoData';
import { NotEditable } from '../registries';

interface Options {
  legend: VizLegendOptions;
  tooltip: { mode: TooltipDisplayMode; sort: SortOrder };
}

function TimeSeriesPanel({
  data,
  timeRange,
  timeZone,
  width,
  height,
  options,
  id,
  fieldConfig,
  onChangeTimeRange,
}: PanelProps<Options>) {
  const { sync } = usePanelContext();
  const { legend = noLegend, tooltip } = options;
  const frames = useMemo(() => data.series.filter(hasSeries), [data.series]);
  if (frames.length === 0) {
    return <PanelDataErrorView panelId={id} data={data} fieldConfig={fieldConfig} needsTimeField needsNumberField />;
  }
  return (
    <TimeSeries
      frames={frames}
      structureRev={data.structureRev}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={legend}
      options={options}
    >
      {(config: UPlotConfigBuilder, aligned: DataFrame) => (
        <>
          <ZoomPlugin config={config} onZoom={onChangeTimeRange} />
          {tooltip?.mode !== TooltipDisplayMode.None && (
            <TooltipPlugin
              config={config}
              data={aligned}
              frames={frames}
              mode={sync?.() === DashboardCursorSync.Tooltip ? TooltipDisplayMode.Multi : tooltip?.mode}
              sortOrder={tooltip?.sort}
              sync={sync}
              timeZone={timeZone}
            />
          )}
          <AnnotationLines config={config} annotations={data.annotations ?? noFrames} />
        </>
      )}
    </TimeSeries>
  );
}

const noFrames: DataFrame[] = [];
const noLegend: VizLegendOptions = {
  showLegend: false,
  displayMode: LegendDisplayMode.Hidden,
  placement: 'bottom',
  calcs: [],
};

const hasSeries = ({ fields, length }: DataFrame) =>
  length > 0 &&
  fields.some(({ type }) => type === FieldType.time) &&
  fields.some(({ type }) => type === FieldType.number);

/** A line for each annotation: Grafana's own plugin for them is not public. */
function AnnotationLines({ config, annotations }: { config: UPlotConfigBuilder; annotations: DataFrame[] }) {
  const theme = useTheme2();
  useLayoutEffect(() => {
    config.addHook('draw', ({ ctx, bbox, valToPos, scales }) => {
      ctx.save();
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([5 * devicePixelRatio, 5 * devicePixelRatio]);
      for (const { fields, length } of annotations) {
        const times = fields.find(({ name }) => name === 'time')?.values ?? [];
        const colours = fields.find(({ name }) => name === 'color')?.values ?? [];
        for (let i = 0; i < length; i++) {
          if (times[i] < scales.x.min! || times[i] > scales.x.max!) {
            continue;
          }
          const x = valToPos(times[i], 'x', true);
          ctx.strokeStyle = theme.visualization.getColorByName(colours[i] ?? 'orange');
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
        }
      }
      ctx.restore();
    });
  }, [config, annotations, theme]);
  return null;
}

/** The custom field options of Grafana's time series panel, and what they are when a dashboard leaves them out. */
const custom: GraphFieldConfig = {
  drawStyle: GraphDrawStyle.Line,
  lineWidth: 1,
  fillOpacity: 0,
  showPoints: VisibilityMode.Auto,
  pointSize: 5,
  spanNulls: false,
  stacking: { mode: StackingMode.None, group: 'A' },
  lineInterpolation: undefined,
  lineStyle: undefined,
  gradientMode: undefined,
  axisPlacement: undefined,
  axisLabel: undefined,
  axisColorMode: undefined,
  axisSoftMin: undefined,
  axisSoftMax: undefined,
  axisGridShow: undefined,
  axisCenteredZero: undefined,
  scaleDistribution: undefined,
  hideFrom: undefined,
  thresholdsStyle: undefined,
  transform: undefined,
  barAlignment: undefined,
};

export const timeseries = new PanelPlugin<Options, GraphFieldConfig>(TimeSeriesPanel).useFieldConfig({
  standardOptions: { [FieldConfigProperty.Color]: { defaultValue: { mode: FieldColorModeId.PaletteClassic } } },
  useCustomConfig: (builder) => {
    for (const [path, defaultValue] of Object.entries(custom)) {
      builder.addCustomEditor({
        id: path,
        path: path as never,
        name: path,
        defaultValue: defaultValue as never,
        editor: NotEditable,
        override: NotEditable,
        process: identityOverrideProcessor,
        shouldApply: ({ type }) => type === FieldType.number,
      });
    }
  },
});
