// Bundles the app and its nested plugins as Grafana loads them: AMD modules
// that take what Grafana shares (React, @grafana/*) from it. It follows
// @grafana/create-plugin's set-up, kept current by hand:
//
//   src/module.tsx             dist/module.js
//   src/datasource/module.ts   dist/datasource/module.js
//   src/panel/module.ts        dist/panel/module.js
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import CopyPlugin from 'copy-webpack-plugin';
import TerserPlugin from 'terser-webpack-plugin';
import { licences } from './licences.mjs';
import { resolve, rules } from './rules.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const { id } = JSON.parse(readFileSync(path.join(root, 'plugin.json'), 'utf8'));
const today = new Date(process.env.SOURCE_DATE_EPOCH ? process.env.SOURCE_DATE_EPOCH * 1000 : Date.now())
  .toISOString()
  .slice(0, 10);

const stamp = (text) => text.toString().replaceAll('%VERSION%', version).replaceAll('%TODAY%', today);

export default ({ production = false }) => ({
  context: path.join(root, 'src'),
  mode: production ? 'production' : 'development',
  devtool: production ? 'source-map' : 'eval-source-map',
  entry: {
    module: './module.tsx',
    'datasource/module': './datasource/module.ts',
    'panel/module': './panel/module.ts',
  },
  externals: [
    'react',
    'react/jsx-runtime',
    'react/jsx-dev-runtime',
    'react-dom',
    'rxjs',
    'lodash',
    '@emotion/css',
    '@emotion/react',
    /^@grafana\/(data|ui|runtime)(\/|$)/,
  ],
  module: { rules },
  resolve,
  output: {
    path: path.join(root, 'dist'),
    filename: '[name].js',
    library: { type: 'amd' },
    // Of the app, also for the nested plugins: their files lie under its folder.
    publicPath: `public/plugins/${id}/`,
    uniqueName: id,
    // The back end's binaries are built by mage.
    clean: { keep: /gpx_|go_plugin_build_manifest|LICENSES-backend/ },
  },
  optimization: {
    minimizer: [
      new TerserPlugin({
        extractComments: false,
        // Those that say that they want to be kept.
        terserOptions: { format: { comments: 'some' } },
      }),
    ],
  },
  performance: { hints: false },
  plugins: [
    licences('LICENSES.txt'),
    new CopyPlugin({
      patterns: [
        { from: 'plugin.json', to: '.', transform: stamp },
        { from: '*/plugin.json', to: '.', transform: stamp },
        { from: '**/img/**', to: '.', noErrorOnMissing: true },
        { from: 'README.md', to: '.', transform: stamp },
        ...['LICENSE', 'CHANGELOG.md']
          .map((file) => path.join(root, file))
          .filter((file) => existsSync(file))
          .map((from) => ({ from, to: '.' })),
      ],
    }),
  ],
});
