// The renderer in a real browser, by itself: no agent, no back end.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import webpack from 'webpack';
import { resolve, rules } from '../../.config/rules.mjs';
import { openBrowser } from './browser.mjs';
import { root } from './street.mjs';

const bundle = mkdtempSync(path.join(tmpdir(), 'gotherm-e2e-'));
let browser;
let page;

before(async () => {
  const stats = await promisify(webpack)({
    context: root,
    mode: 'development',
    devtool: false,
    entry: './workbench/e2e/renderer.page.mjs',
    module: { rules },
    resolve,
    output: { path: bundle, filename: 'page.js', publicPath: '', library: { type: 'var', name: 'renderer' } },
  });
  assert.ok(!stats.hasErrors(), stats.toString({ all: false, errors: true }));
});

after(() => rmSync(bundle, { recursive: true }));

beforeEach(async () => {
  browser = await openBrowser();
  page = await browser.blank();
  await page.addScriptTag({ path: path.join(bundle, 'page.js') });
});

afterEach(() => browser.close());

describe('a copy of the picture', () => {
  test('has every pixel that was shown last, whatever was on its way', async () => {
    const { copy, expected, place } = await page.evaluate(async () => {
      const { openSurface, pictureOf, pixelsOf } = window.renderer;
      const surface = openSurface();
      // The first is painted, the second is dropped, the third is what counts.
      for (const value of [3, 5, 7]) {
        surface.show(pictureOf({ columns: 2, rows: 1, values: [value, value + 9], width: 4, height: 2 }));
      }
      const { table } = pictureOf({ columns: 1, rows: 1, values: [1], width: 1, height: 1 });
      return {
        copy: [...pixelsOf(await surface.pixels())],
        expected: [7, 7, 16, 16, 7, 7, 16, 16].map((level) => table[level]),
        place: surface.canvas.dataset.painted,
      };
    });
    assert.equal(place, 'blob worker');
    assert.deepEqual(copy, expected);
  });

  test('fails when there is nothing to copy', async () => {
    const problems = await page.evaluate(async () => {
      const { openSurface, pictureOf } = window.renderer;
      const flat = openSurface();
      flat.show(pictureOf({ columns: 1, rows: 1, values: [1], width: 0, height: 2 }));
      const left = openSurface();
      const asked = left.pixels();
      left.close();
      return Promise.all([flat.pixels(), asked, left.pixels()].map((copy) => copy.catch((error) => error.message)));
    });
    assert.match(problems[0], /0 x 2 pixels/);
    assert.match(problems[1], /closed/);
    assert.match(problems[2], /closed/);
  });
});
