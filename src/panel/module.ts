import { FieldConfigProperty, PanelPlugin } from '@grafana/data';
import { HeatmapPanel } from './HeatmapPanel';
import { addOptions, type Options } from './options';

export { HeatmapPanel } from './HeatmapPanel';
export { defaultOptions, type Options } from './options';

export const plugin = new PanelPlugin<Options>(HeatmapPanel)
  .useFieldConfig({ disableStandardOptions: Object.values(FieldConfigProperty) })
  .setPanelOptions(addOptions)
  .setDataSupport({ annotations: true });
