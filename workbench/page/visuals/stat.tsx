// Grafana's stat panel over @grafana/ui's big value.
import { useCallback } from 'react';
import {
  DisplayValueAlignmentFactors,
  FieldColorModeId,
  FieldConfigProperty,
  FieldDisplay,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  PanelPlugin,
  PanelProps,
  ReduceDataOptions,
  VizOrientation,
} from '@grafana/data';
import { BigValueColorMode, BigValueGraphMode, BigValueJustifyMode, BigValueTextMode } from '@grafana/schema';
import { BigValue, useTheme2, VizRepeater, VizRepeaterRenderValueProps } from '@grafana/ui';
import { PanelDataErrorView } from '../NoData';

interface Options {
  reduceOptions: ReduceDataOptions;
  orientation: VizOrientation;
  textMode: BigValueTextMode;
  colorMode: BigValueColorMode;
  graphMode: BigValueGraphMode;
  justifyMode: BigValueJustifyMode;
  wideLayout: boolean;
}

const defaults: Options = {
  reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
  orientation: VizOrientation.Auto,
  textMode: BigValueTextMode.Auto,
  colorMode: BigValueColorMode.Value,
  graphMode: BigValueGraphMode.Area,
  justifyMode: BigValueJustifyMode.Auto,
  wideLayout: true,
};

function StatPanel({
  id,
  data,
  fieldConfig,
  options,
  replaceVariables,
  timeRange,
  timeZone,
  width,
  height,
  renderCounter,
}: PanelProps<Options>) {
  const theme = useTheme2();
  const o = { ...defaults, ...options };
  const getValues = useCallback(
    () =>
      getFieldDisplayValues({
        fieldConfig,
        reduceOptions: { ...defaults.reduceOptions, ...options.reduceOptions },
        replaceVariables,
        theme,
        data: data.series,
        sparkline: options.graphMode !== BigValueGraphMode.None,
        timeZone,
      }),
    [data, fieldConfig, options, replaceVariables, theme, timeZone]
  );
  if (data.series.length === 0) {
    return <PanelDataErrorView panelId={id} data={data} />;
  }
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({
        value,
        alignmentFactors,
        count,
        width,
        height,
      }: VizRepeaterRenderValueProps<FieldDisplay, DisplayValueAlignmentFactors>) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline && { ...value.sparkline, timeRange }}
          count={count}
          colorMode={o.colorMode}
          graphMode={o.graphMode}
          justifyMode={o.justifyMode}
          textMode={o.textMode}
          disableWideLayout={!o.wideLayout}
          alignmentFactors={alignmentFactors}
          width={width}
          height={height}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={data}
      renderCounter={renderCounter}
      orientation={o.orientation}
      itemSpacing={3}
      autoGrid
    />
  );
}

export const stat = new PanelPlugin<Options>(StatPanel).useFieldConfig({
  standardOptions: { [FieldConfigProperty.Color]: { defaultValue: { mode: FieldColorModeId.Thresholds } } },
});
