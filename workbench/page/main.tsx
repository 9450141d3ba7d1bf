// The page hosts gotherm's panel where there is no Grafana: it sets Grafana's
// services over the workbench's API, loads the plugin as built, and draws the
// provisioned dashboards.
import './boot';
import { initPluginTranslations } from '@grafana/i18n';
import * as unstableRuntime from '@grafana/runtime/unstable';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { DashboardFile } from './dashboard';
import { loadDataSource } from './datasource';
import { setRegistries } from './registries';
import { loadVisuals } from './visuals';

async function start() {
  await initPluginTranslations('gotherm-workbench');
  // Grafana 13 has loggers that want to be set; 12 has none.
  unstableRuntime.initializeLoggersRegistry?.();
  setRegistries();
  const dataSource = await loadDataSource();
  const [visuals, files] = await Promise.all([loadVisuals(), listDashboards()]);
  createRoot(root).render(<App {...{ dataSource, visuals, files }} />);
}

async function listDashboards(): Promise<DashboardFile[]> {
  const response = await fetch('api/dashboards');
  const body = await response.json();
  if (!response.ok) {
    throw new Error(body.message);
  }
  return body;
}

const root = document.getElementById('root')!;
start().catch((error: Error) => {
  console.error(error);
  root.textContent = `The page cannot start: ${error.message}`;
});
