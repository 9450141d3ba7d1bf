// How a source file of the front end becomes JavaScript. The workbench's page
// bundles the panel with the same rules.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

export const resolve = { extensions: ['.ts', '.tsx', '.js'] };

export const rules = [
  {
    // import { source, url } from './worker?worker'
    resourceQuery: /worker/,
    use: path.join(here, 'worker-loader.mjs'),
  },
  {
    // import { Go, url } from './main.go?go'
    resourceQuery: /^\?go$/,
    use: path.join(here, 'go-loader.mjs'),
  },
  {
    test: /\.tsx?$/,
    exclude: /node_modules/,
    use: {
      loader: 'swc-loader',
      options: {
        jsc: {
          // What the browsers that Grafana 12.4 supports run as it is.
          target: 'es2022',
          parser: { syntax: 'typescript', tsx: true },
          // Not jsxDEV: a production Grafana has none to share.
          transform: { react: { runtime: 'automatic', development: false } },
        },
      },
    },
  },
  { test: /\.svg$/, type: 'asset/resource', generator: { filename: '[path][name][ext]' } },
];
