// What can draw a panel: the plugin's own, loaded as built, and of Grafana's
// what our dashboards use.
import { PanelPlugin, PanelPluginMeta } from '@grafana/data';
import { loadPluginMeta, loadPluginModule } from '../shared';
import { stat } from './stat';
import { table } from './table';
import { text } from './text';
import { timeseries } from './timeseries';

export type Visuals = Record<string, PanelPlugin>;

export async function loadVisuals(): Promise<Visuals> {
  const [meta, { plugin }] = await Promise.all([
    loadPluginMeta('panel'),
    loadPluginModule<{ plugin: PanelPlugin }>('panel/module'),
  ]);
  plugin.meta = meta as unknown as PanelPluginMeta;
  return {
    [meta.id]: plugin,
    stat: stat as PanelPlugin,
    table: table as PanelPlugin,
    text: text as PanelPlugin,
    timeseries: timeseries as PanelPlugin,
  };
}
