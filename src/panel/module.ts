import { FieldConfigProperty, PanelPlugin, ThresholdsMode } from '@grafana/data';
import { replayed } from '../replay/Replayed';
import { HeatmapPanel } from './HeatmapPanel';
import { changeFromHeatmap } from './migration';
import { addOptions, type Options } from './options';
import { suggest } from './suggestions';

export { HeatmapPanel } from './HeatmapPanel';
export { defaultOptions, type Options } from './options';

export const plugin = new PanelPlugin<Options>(replayed(HeatmapPanel))
  .useFieldConfig({
    // Links are shown with what is in a cell.
    disableStandardOptions: Object.values(FieldConfigProperty).filter(
      (p) => p !== FieldConfigProperty.Thresholds && p !== FieldConfigProperty.Links
    ),
    standardOptions: {
      // Grafana would begin with a line at 80.
      [FieldConfigProperty.Thresholds]: {
        defaultValue: { mode: ThresholdsMode.Absolute, steps: [{ value: -Infinity, color: 'transparent' }] },
      },
    },
  })
  .setPanelOptions(addOptions)
  .setPanelChangeHandler(changeFromHeatmap)
  .setSuggestionsSupplier(suggest)
  .setDataSupport({ annotations: true, alertStates: true });
