// Runs the renderer's benchmark in Chromium and prints its lines, "name value".
// Ratios carry over between machines; times do not.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import webpack from 'webpack';
import { resolve, rules } from './rules.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const out = mkdtempSync(path.join(tmpdir(), 'gotherm-bench-'));
try {
  const stats = await promisify(webpack)({
    context: root,
    mode: 'production',
    entry: './src/renderer/draw.bench.ts',
    module: { rules },
    resolve,
    output: { path: out, filename: 'bench.js', library: { type: 'var', name: 'bench' } },
    performance: { hints: false },
  });
  if (stats.hasErrors()) {
    throw new Error(stats.toString({ all: false, errors: true }));
  }
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ path: path.join(out, 'bench.js') });
    const lines = await page.evaluate('bench.run()');
    console.log(lines.join('\n'));
  } finally {
    await browser.close();
  }
} finally {
  rmSync(out, { recursive: true });
}
