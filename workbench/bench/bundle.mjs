// What is measured, as it is shipped: bundled for production, in Debian's Chromium.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import webpack from 'webpack';
import { resolve, rules } from '../../.config/rules.mjs';

export const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

/** Bundles a module of this folder as `bench.js` in `out`, whose exports are `globalThis.bench`. Returns the names of all files made. */
export async function bundle(module, out) {
  const stats = await promisify(webpack)({
    context: root,
    mode: 'production',
    entry: `./workbench/bench/${module}`,
    module: { rules },
    resolve,
    output: { path: out, publicPath: '', filename: 'bench.js', library: { type: 'var', name: 'bench' } },
    performance: { hints: false },
  });
  if (stats.hasErrors()) {
    throw new Error(stats.toString({ all: false, errors: true }));
  }
  return Object.keys(stats.compilation.assets);
}

/** Starts a browser. */
export const launch = (...args) =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', ...args] });
