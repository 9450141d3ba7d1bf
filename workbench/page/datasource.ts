// The one data source of the workbench: the plugin's own front-end class, over
// the plugin's own back end.
import {
  DataSourceApi,
  DataSourceInstanceSettings,
  DataSourcePluginMeta,
  DataSourceRef,
  EventBusSrv,
  ScopedVars,
} from '@grafana/data';
import {
  DataSourceSrv,
  RuntimeDataSourceRegistration,
  setAppEvents,
  setBackendSrv,
  setDataSourceSrv,
  setEchoSrv,
  setGrafanaLiveSrv,
  setTemplateSrv,
} from '@grafana/runtime';
import * as unstableRuntime from '@grafana/runtime/unstable';
import { backend } from './backend';
import { live } from './live';
import { loadPluginMeta, loadPluginModule } from './shared';
import { Templates } from './templates';

export const dataSourceType = 'gotherm-runtime-datasource';
export const dataSourceUid = 'gotherm';

export const templates = new Templates();

interface DataSourceModule {
  plugin: { DataSourceClass: new (settings: DataSourceInstanceSettings) => DataSourceApi };
}

/** Whether a reference in a dashboard, with its variables replaced, means our data source. */
export function isOurs(ref: unknown, scopedVars?: ScopedVars): boolean {
  if (ref === null || ref === undefined) {
    return true; // The default data source, which is the only one.
  }
  const { uid = '', type = '' }: DataSourceRef =
    typeof ref === 'string' ? { uid: templates.replace(ref, scopedVars) } : (ref as DataSourceRef);
  return type === dataSourceType || templates.replace(uid, scopedVars) === dataSourceUid;
}

/** What a reference in a dashboard is called in a message. */
export function nameOf(ref: unknown): string {
  const { uid, type }: DataSourceRef = typeof ref === 'string' ? { uid: ref } : ((ref ?? {}) as DataSourceRef);
  return type ?? uid ?? 'unknown';
}

/** Sets Grafana's services, then loads the data source's class. */
export async function loadDataSource(): Promise<DataSourceApi> {
  setAppEvents(new EventBusSrv());
  setBackendSrv(backend);
  setGrafanaLiveSrv(live);
  setTemplateSrv(templates);
  // What plugins report about their use goes nowhere.
  setEchoSrv({ addBackend: () => {}, addEvent: () => {}, flush: () => {}, onInteraction: () => () => {} });

  const [meta, module] = await Promise.all([
    loadPluginMeta('datasource'),
    loadPluginModule<DataSourceModule>('datasource/module'),
  ]);
  const settings: DataSourceInstanceSettings = {
    id: 1,
    uid: dataSourceUid,
    type: dataSourceType,
    name: dataSourceUid,
    meta: meta as unknown as DataSourcePluginMeta,
    url: `/api/datasources/proxy/uid/${dataSourceUid}`,
    access: 'proxy',
    readOnly: true,
    jsonData: {},
  };
  // Grafana 13 keeps settings apart from the service that 12 has, and reads them once.
  backend.frontendSettings = { datasources: { [settings.name]: settings }, defaultDatasource: settings.name };
  await unstableRuntime.reloadDataSourceInstanceSettings?.();
  const instance = new module.plugin.DataSourceClass(settings);
  instance.meta = settings.meta;
  setDataSourceSrv(new OneDataSource(settings, instance));
  return instance;
}

class OneDataSource implements DataSourceSrv {
  constructor(
    private settings: DataSourceInstanceSettings,
    private instance: DataSourceApi
  ) {}

  async get(ref?: DataSourceRef | string | null, scopedVars?: ScopedVars): Promise<DataSourceApi> {
    if (!isOurs(ref, scopedVars)) {
      throw new Error(`the workbench has no data source ${nameOf(ref)}`);
    }
    return this.instance;
  }

  getList = () => [this.settings];

  getInstanceSettings = (ref?: DataSourceRef | string | null, scopedVars?: ScopedVars) =>
    isOurs(ref, scopedVars) ? this.settings : undefined;

  reload = () => Promise.resolve();

  registerRuntimeDataSource(_: RuntimeDataSourceRegistration) {
    throw new Error('the workbench has one data source only');
  }
}
