// Points in the panel, on the whole street: each request that the shop answers
// is drawn as it happens.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { heatmap, keep, nameless, openBrowser, painted, panel } from './browser.mjs';
import { firstHeat, needBuilt, startAgent, startShop, startWorkbench, stopAll, until } from './street.mjs';

const hits = 'Requests as they come';
const lines = 'Percentiles as points';

/** A dashboard of points: single hits, which choose it by themselves, and lines, for which a user does. */
const dashboard = {
  uid: 'points',
  title: 'Points',
  time: { from: 'now-1m', to: 'now' },
  panels: [
    [hits, { series: 'rows' }, { kind: 'events', pom: 'http.request', groupBy: ['route'], live: true }],
    [
      lines,
      { draw: { as: 'points', sigma: 3, halfLife: 20 } },
      { kind: 'series', pom: 'http.request', statistics: ['p50', 'p99'] },
    ],
  ].map(([title, options, query], i) => ({
    id: i + 1,
    type: 'gotherm-heatmap-panel',
    title,
    gridPos: { x: 0, y: 10 * i, w: 24, h: 10 },
    fieldConfig: { defaults: {}, overrides: [] },
    options,
    targets: [{ refId: 'A', datasource: { uid: 'gotherm' }, ...query }],
  })),
};

const folder = mkdtempSync(path.join(tmpdir(), 'gotherm-e2e-'));
let workbench;
let browser;
let page;
let complaints;
let talk;

before(async () => {
  needBuilt();
  writeFileSync(path.join(folder, 'points.json'), JSON.stringify(dashboard));
  const { url: agent } = await startAgent(await startShop());
  await firstHeat(agent, 'http.request');
  ({ url: workbench } = await startWorkbench(agent, 19, folder));
});

after(async () => {
  await stopAll();
  rmSync(folder, { recursive: true });
});

afterEach(async ({ name }) => {
  await keep(name, page, talk);
  await browser.close();
  assert.deepEqual(complaints, [], 'the console complained');
});

async function open(title, search = {}) {
  browser = await openBrowser();
  ({ page, complaints, talk } = await browser.open(`${workbench}/?${new URLSearchParams(search)}`));
  const plot = heatmap(page, title);
  await plot.waitFor({ timeout: 60_000 });
  await plot.scrollIntoViewIfNeeded();
  await until(`${title} to be painted`, async () => (await painted(page, plot)).colours > 8);
  return plot;
}

/** What is painted on the canvas of a plot, and how. */
const canvas = (plot) => plot.locator('canvas').evaluate(({ dataset }) => ({ ...dataset }));

test('requests are drawn as they happen, off the main thread, without another query', async () => {
  const plot = await open(hits, { refresh: 'off' });
  let queries = 0;
  page.on('request', (request) => (queries += request.url().includes('/api/query') ? 1 : 0));
  const before = await canvas(plot);
  assert.deepEqual([before.painted, before.ink], ['blob worker', 'simd']);
  const { columns } = await painted(page, plot);
  // 60 s over some 1,300 px: in five seconds a tenth of the plot.
  await until('more of them', async () => (await painted(page, plot)).columns > columns + 60, 30);
  const after = await canvas(plot);
  assert.ok(Number(after.paintings) > Number(before.paintings) + 10, `${before.paintings} ▸ ${after.paintings}`);
  assert.equal(queries, 0);

  // Asked anew, what is there goes on.
  const seen = (await painted(page, plot)).columns;
  await page
    .getByRole('button', { name: /^Refresh/ })
    .first()
    .click();
  await until('another query', () => queries > 0);
  for (let look = 0; look < 6; look++) {
    await page.waitForTimeout(250);
    const now = (await painted(page, plot)).columns;
    assert.ok(now >= seen - 20, `requests in ${seen} columns were seen before the refresh, in ${now} after it`);
  }
  assert.match(await panel(page, hits).getByRole('img', { name: /^Colors of points/ }).getAttribute('aria-label'), /hits per pixel, log scale/); // prettier-ignore
});

test('the tooltip tells of the nearest request, the keyboard and the table of all in a cell', async () => {
  const plot = await open(hits, { refresh: 'off' });
  await page.waitForTimeout(3000);
  await page.getByRole('switch', { name: 'Live' }).isVisible();
  await plot.focus();
  await page.keyboard.press('ArrowRight');
  const readout = panel(page, hits).getByTestId('heat readout');
  const said = await until('a cell to be read out', () => readout.textContent());
  assert.match(said, /Bucket \[.*s\), Count [\d.]+, Share of column/);

  // Where a cell is hot, requests are.
  const mark = await plot.locator('svg rect').last().boundingBox();
  const tooltip = page.getByTestId('heat tooltip');
  const text = await until('a request under the pointer', async () => {
    await page.mouse.move(mark.x + mark.width * Math.random(), mark.y + mark.height * Math.random());
    return (await tooltip.isVisible()) && (await plot.getByTestId('heat point').isVisible()) && tooltip.textContent();
  });
  assert.match(text, /http\.request.*\d\d:\d\d:\d\d\.\d{3}Value.*s.*goroutine\d+/);
  assert.match(text, /route(GET|POST) \//);

  await panel(page, hits).getByRole('button', { name: 'Heat menu' }).click();
  await page.getByRole('menuitem', { name: 'Show as table' }).click();
  await panel(page, hits).getByRole('columnheader', { name: 'Count' }).waitFor();
  assert.deepEqual(await nameless(page), []);
});

test('numbers over time are drawn as points where a user chooses it', async () => {
  const plot = await open(lines, { from: 'now-2m', to: 'now' });
  assert.equal((await canvas(plot)).ink, 'simd');
  const legend = panel(page, lines).getByRole('img', { name: /^Colors of points/ });
  assert.match(await legend.first().getAttribute('aria-label'), /points per pixel, half after 20 s/);
});
