// Loads the plugin as Grafana does: the built AMD modules under dist, which
// take React, @grafana/* and the like from their host.
import * as emotionCss from '@emotion/css';
import * as emotionReact from '@emotion/react';
import * as grafanaData from '@grafana/data';
import * as grafanaRuntime from '@grafana/runtime';
import * as grafanaUi from '@grafana/ui';
import lodash from 'lodash';
import React from 'react';
import ReactDom from 'react-dom';
import * as jsxRuntime from 'react/jsx-runtime';
import * as rxjs from 'rxjs';
import { PanelDataErrorView } from './NoData';

/** The folder of the plugin, which is its webpack public path, too. */
const pluginPath = 'public/plugins/gotherm-runtime-app/';

const shared: Record<string, unknown> = {
  '@emotion/css': emotionCss,
  '@emotion/react': emotionReact,
  '@grafana/data': grafanaData,
  // Grafana sets this one when it starts, by a way that its package does not make public.
  '@grafana/runtime': { ...grafanaRuntime, PanelDataErrorView },
  '@grafana/ui': grafanaUi,
  lodash,
  react: React,
  'react-dom': ReactDom,
  'react/jsx-runtime': jsxRuntime,
  rxjs,
};

type Factory = (...dependencies: unknown[]) => unknown;

/** The last module that a script has defined: scripts run one after the other. */
let defined: { dependencies: string[]; factory: Factory } | undefined;

function define(
  ...args:
    | [name: string, dependencies: string[], factory: Factory]
    | [dependencies: string[], factory: Factory]
    | [factory: Factory]
) {
  const factory = args.at(-1) as Factory;
  const dependencies = (args.at(-2) as string[] | undefined) ?? [];
  defined = { dependencies, factory };
}
define.amd = {};
Object.assign(window, { define });

let queue: Promise<unknown> = Promise.resolve();

/** Loads a module of the plugin, such as "panel/module". */
export function loadPluginModule<T>(name: string): Promise<T> {
  const load = queue
    .then(() => runScript(`${pluginPath}${name}.js`))
    .then(
      () =>
        new Promise<T>((resolve, reject) => {
          if (!defined) {
            throw new Error(`${name}.js defines no AMD module`);
          }
          const { dependencies, factory } = defined;
          defined = undefined;
          const exports: Record<string, unknown> = {};
          const given = dependencies.map((dependency) => {
            if (dependency === 'module') {
              return { uri: new URL(`${pluginPath}${name}.js`, document.baseURI).href, exports };
            }
            if (dependency === 'exports') {
              return exports;
            }
            if (!(dependency in shared)) {
              reject(new Error(`${name}.js wants ${dependency}, which Grafana does not share`));
            }
            return shared[dependency];
          });
          // Webpack may return a promise of the module.
          Promise.resolve(factory(...given) ?? exports).then((module) => resolve(module as T), reject);
        })
    );
  queue = load.catch(() => undefined);
  return load;
}

function runScript(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = url;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${url} cannot be loaded: build the plugin with npm run build`));
    document.head.append(script);
  });
}

/** The manifest of a nested plugin, its plugin.json. */
export async function loadPluginMeta(folder: string): Promise<Record<string, unknown> & { id: string }> {
  const response = await fetch(`${pluginPath}${folder}/plugin.json`);
  if (!response.ok) {
    throw new Error(`${folder}/plugin.json cannot be loaded: ${response.statusText}`);
  }
  const meta = await response.json();
  // Relative to the plugin's folder in the file, absolute once Grafana has read it.
  const logos = meta.info?.logos ?? {};
  return {
    ...meta,
    module: `${pluginPath}${folder}/module.js`,
    baseUrl: `${pluginPath}${folder}`,
    info: {
      ...meta.info,
      logos: Object.fromEntries(Object.entries(logos).map(([k, v]) => [k, `${pluginPath}${folder}/${v}`])),
    },
  };
}
