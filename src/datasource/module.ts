import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './ConfigEditor';
import { DataSource, type HeatQuery, type HeatSettings } from './DataSource';
import { QueryEditor } from './QueryEditor';

export const plugin = new DataSourcePlugin<DataSource, HeatQuery, HeatSettings, Record<string, string>>(DataSource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
