// The panel in a real browser, on the whole street: kernel, agent, back end,
// front end. Once in Grafana 13's packages with React 19, once in those of
// Grafana 12 with React 18.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { heatmap, keep, nameless, openBrowser, painted, panel } from './browser.mjs';
import { findCell, queryHeat, querySpectrum, readCell, seconds, shareOf, upperBound } from './heat.mjs';
import {
  call,
  firstHeat,
  needBuilt,
  root,
  service,
  startAgent,
  startShop,
  startWorkbench,
  stopAll,
  until,
  version,
} from './street.mjs';

const latency = 'Scheduler latency';
const pauses = 'Stop-the-world pauses by reason';
const query = { kind: 'heatmap', pom: 'sched.latency' };

let agent;
let shop;
let started;

before(async () => {
  needBuilt();
  started = Date.now();
  shop = await startShop();
  ({ url: agent } = await startAgent(shop));
  await firstHeat(agent, 'sched.latency');
  // Some columns to look at: the newest four seconds may still grow.
  await sleep(20_000);
});

after(stopAll);

/** Builds the page for Grafana 12, which nobody but these tests has a use for. */
function buildOldPage() {
  if (!existsSync(path.join(root, 'workbench/react18/node_modules/@grafana/ui'))) {
    execFileSync('npm', ['ci', '--prefix', 'workbench/react18'], { cwd: root, stdio: 'inherit' });
  }
  execFileSync('node', ['workbench/page/build.mjs', '18'], { cwd: root, stdio: 'inherit' });
}

for (const react of [19, 18]) {
  describe(`with React ${react}`, () => {
    let workbench;
    let browser;
    let page;
    let complaints;
    let talk;

    before(async () => {
      if (react === 18) {
        buildOldPage();
      }
      ({ url: workbench } = await startWorkbench(agent, react));
    });

    beforeEach(async () => {
      browser = await openBrowser();
    });

    afterEach(async ({ name }) => {
      await keep(`react${react} ${name}`, page, talk);
      await browser.close();
      assert.deepEqual(complaints, [], 'the console complained');
    });

    async function open(search, title = latency, colours = 4) {
      ({ page, complaints, talk } = await browser.open(`${workbench}/?${new URLSearchParams(search)}`));
      const plot = heatmap(page, title);
      await plot.waitFor({ timeout: 60_000 });
      await plot.scrollIntoViewIfNeeded();
      await until(`${title} to be painted`, async () => (await painted(page, plot)).colours >= colours);
    }

    /** A past range, whose heat does not change any more. */
    function past() {
      const to = Math.floor(Date.now() / 1000) * 1000 - 8000;
      return { from: to - 30_000, to };
    }

    /** Points at the heatmap until there is a cell with hits, and reads its tooltip. */
    async function pointAtCell() {
      const plot = heatmap(page, latency);
      await plot.scrollIntoViewIfNeeded();
      const box = await plot.boundingBox();
      const tooltip = page.getByTestId('heat tooltip');
      for (let step = 1; step < 400; step++) {
        // From the bottom up, and across, where the hits are.
        const x = box.x + box.width * (0.3 + 0.5 * ((step * 0.37) % 1));
        const y = box.y + box.height * (1 - step / 400);
        await page.mouse.move(x, y);
        await sleep(30);
        if (await tooltip.isVisible()) {
          return tooltip.textContent();
        }
      }
      throw new Error('no cell under the pointer has hits');
    }

    test('the heat of the running shop is painted, off the main thread', async () => {
      await open({ from: 'now-2m', to: 'now' });
      const { colours, columns } = await painted(page, heatmap(page, latency));
      assert.ok(colours > 12, `a heatmap has many colours, this has ${colours}`);
      assert.ok(columns > 50, `heat covers some of the width, here ${columns} px`);
      assert.equal(await heatmap(page, latency).locator('canvas').getAttribute('data-painted'), 'blob worker');
      for (const title of [pauses, 'Goroutine grid']) {
        const plot = heatmap(page, title);
        await plot.scrollIntoViewIfNeeded();
        await until(`${title} to be painted`, async () => (await painted(page, plot)).colours > 3);
      }
    });

    test('the tooltip reads what the data source and the agent say', async () => {
      const range = past();
      await open({ from: range.from, to: range.to, live: 'off' });
      const text = await pointAtCell();
      const read = readCell(text);

      const [cells] = await queryHeat(workbench, query, range);
      const cell = findCell(cells, read);
      assert.ok(cell, `the data source has no cell for ${text}`);
      assert.equal(read.count, cell.count);
      assert.ok(Math.abs(read.share - shareOf(cells, cell)) < 0.001, `share of ${text}, is ${shareOf(cells, cell)}`);

      const start = new Date(read.end - 1000).toISOString();
      const end = new Date(read.end).toISOString();
      const { series } = await call(agent, 'QueryHeat', { pom: 'sched.latency', start, end, step: '1s' });
      const [{ buckets, counts }] = series[0].columns;
      const at = buckets.findIndex((bucket) => Math.abs(upperBound(bucket) / cell.high - 1) < 1e-9);
      assert.equal(read.count, Number(counts[at]), 'the agent counts the same');
    });

    test('the keyboard reads the same as the data source', async () => {
      const range = past();
      await open({ from: range.from, to: range.to, live: 'off' });
      const plot = heatmap(page, latency);
      await plot.focus();
      const [cells] = await queryHeat(workbench, query, range);
      const readout = panel(page, latency).getByTestId('heat readout');
      const heard = new Set();
      for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowUp', 'ArrowUp', 'ArrowRight', 'ArrowDown']) {
        await page.keyboard.press(key);
        const text = await until(`${key} to be read out`, () => readout.textContent());
        const read = readCell(text);
        const cell = findCell(cells, read);
        assert.equal(read.count, cell?.count ?? 0, text);
        heard.add(text);
      }
      assert.ok(heard.size >= 4, `the keys move from cell to cell: ${[...heard].join(' / ')}`);
      await page.keyboard.press('Escape');
      await until('the readout to fall silent', async () => (await readout.textContent()) === '');
    });

    test('a cell opens to what is in it, by Enter and by a click, and Escape leads back to it', async () => {
      const range = past();
      await open({ from: range.from, to: range.to, live: 'off' });
      // It comes over the plots, which are lower then.
      await panel(page, latency).getByTestId('version strip').waitFor();
      const plot = heatmap(page, latency);
      const drawer = page.getByRole('dialog');
      const functions = drawer.getByRole('table', { name: 'Start function' });
      const readout = panel(page, latency).getByTestId('heat readout');
      await plot.focus();
      await page.keyboard.press('ArrowLeft');
      const said = await until('the hottest cell to be read out', () => readout.textContent());

      await page.keyboard.press('Enter');
      await functions.waitFor();
      const counts = await functions.locator('tr td:nth-child(2)').allTextContents();
      const sum = counts.map(Number).reduce((a, b) => a + b);
      assert.equal(sum, readCell(said).count, await functions.textContent());
      const inside = await drawer.textContent();
      assert.match(inside, new RegExp(`${shop.pid}-\\d+`), 'the process is named');
      assert.match(inside, new RegExp(`Service\\s*${service}`));
      assert.match(await drawer.getByRole('table', { name: 'Goroutines' }).textContent(), /\d+/);
      assert.deepEqual(await nameless(page), []);
      for (let i = 0; i < 5; i++) {
        await page.keyboard.press('Tab');
        const isInside = await drawer.evaluate((element) => element.contains(document.activeElement));
        assert.ok(isInside, 'the focus stays in the drawer');
      }
      await page.keyboard.press('Escape');
      await drawer.waitFor({ state: 'detached' });
      assert.equal(await until('the cell to be read out again', () => readout.textContent()), said);

      const mark = await plot.locator('svg rect').last().boundingBox();
      // A mouse points at whole pixels.
      await page.mouse.click(Math.floor(mark.x + mark.width / 2), Math.floor(mark.y + mark.height / 2));
      await functions.waitFor();
      await page.keyboard.press('Escape');
      await drawer.waitFor({ state: 'detached' });
      assert.equal(new URL(page.url()).searchParams.get('from'), String(range.from), 'a click selects no range');
    });

    test('the brush changes the range, and back changes it back', async () => {
      const range = past();
      await open({ from: range.from, to: range.to, live: 'off' });
      const box = await heatmap(page, latency).boundingBox();
      const [left, right, middle] = [box.x + box.width * 0.25, box.x + box.width * 0.75, box.y + box.height / 2];
      await page.mouse.move(left, middle);
      await page.mouse.down();
      await page.mouse.move((left + right) / 2, middle, { steps: 5 });
      await panel(page, latency).getByTestId('heat brush').waitFor();
      await page.mouse.move(right, middle, { steps: 5 });
      await page.mouse.up();
      const chosen = await until('the address to have the new range', () => {
        const params = new URL(page.url()).searchParams;
        const [from, to] = [Number(params.get('from')), Number(params.get('to'))];
        return from !== range.from && { from, to };
      });
      const tolerance = 400;
      assert.ok(Math.abs(chosen.from - (range.from + 7500)) < tolerance, `from ${chosen.from - range.from} ms`);
      assert.ok(Math.abs(chosen.to - (range.from + 22_500)) < tolerance, `to ${chosen.to - range.from} ms`);
      const label = () => heatmap(page, latency).getAttribute('aria-label');
      await until('the heatmap to show it', async () => (await label()).includes(clock(chosen.from)));
      assert.equal(await page.getByRole('dialog').count(), 0, 'a drag opens no cell');
      await page.goBack();
      await until('the heatmap to show the first', async () => (await label()).includes(clock(range.from)));
    });

    test('live columns arrive without a reload or another query', async () => {
      // Longer than the shop has been running: heat has room to grow.
      await open({ from: 'now-30m', to: 'now', refresh: 'off' });
      let queries = 0;
      page.on('request', (request) => (queries += request.url().includes('/api/query') ? 1 : 0));
      const plot = heatmap(page, latency);
      const width = async () => (await painted(page, plot)).columns;
      const before = await width();
      // 1,800 s over some 1,300 px: a column of two seconds is wider than a pixel.
      await until('five more columns', async () => (await width()) >= before + 7, 60);
      assert.equal(queries, 0);

      await page.getByRole('switch', { name: 'Live' }).uncheck({ force: true });
      await until('the panels to ask once more', () => queries > 0);
      await sleep(3000);
      const settled = await plot.getAttribute('aria-label');
      await sleep(4000);
      assert.equal(await plot.getAttribute('aria-label'), settled, 'nothing moves when live is off');
    });

    test('a cursor in one panel is shown in the others', async () => {
      const range = past();
      await open({ from: range.from, to: range.to, live: 'off' });
      await heatmap(page, pauses).waitFor();
      const cursor = panel(page, pauses).getByTestId('heat cursor').first();
      assert.equal(await cursor.isVisible(), false);
      const box = await heatmap(page, latency).boundingBox();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await cursor.waitFor({ state: 'attached' });
      const [there, here] = await Promise.all(
        [cursor, panel(page, latency).getByTestId('heat cursor').first()].map(async (line) => {
          const [x, width] = [
            Number(await line.getAttribute('x1')),
            Number(await line.locator('..').getAttribute('width')),
          ];
          return x / width;
        })
      );
      assert.ok(Math.abs(there - here) < 0.01, `the same time in both: ${there}, ${here}`);
      await page.mouse.move(box.x, box.y - 40);
      await cursor.waitFor({ state: 'detached' });
    });

    test('the release that the shop runs is marked', async () => {
      // It has room for its text, since the heat begins with it.
      await open({ from: started - 60_000, to: 'now' });
      await until('the release', async () => (await panel(page, latency).textContent()).includes(version));
    });

    test('requests are painted by latency and path depth, and the keyboard reads them', async () => {
      const range = past();
      const title = 'Latency and path depth';
      await open({ dashboard: 'gotherm-requests', from: range.from, to: range.to, live: 'off' }, title);
      const plot = heatmap(page, title);
      await plot.focus();
      // From nowhere it leads to the hottest cell.
      await page.keyboard.press('ArrowRight');
      const readout = panel(page, title).getByTestId('heat readout');
      const text = await until('the hottest cell to be read out', () => readout.textContent());
      const [, from, to, depth, count] = /([\d.]+ \S+) – ([\d.]+ \S+), depth (\d+), Count (\d+)/.exec(text) ?? [];
      const bins = await querySpectrum(workbench, { pom: 'http.request', y: 'depth' }, range);
      const most = Math.max(...bins.map((bin) => bin.count));
      const near = (a, b) => Math.abs(a / b - 1) < 0.01;
      assert.equal(Number(count), most, text);
      assert.ok(
        bins.some(
          (bin) =>
            bin.count === most && Number(depth) === bin.y && near(seconds(from), bin.from) && near(seconds(to), bin.to)
        ),
        `${text} is none of the hottest of ${JSON.stringify(bins)}`
      );
    });

    test('what watching costs is painted by process, and listed', async () => {
      await open({ dashboard: 'gotherm-cost', from: 'now-2m', to: 'now' }, 'Goroutine switches', 2);
      const table = panel(page, 'Processes');
      await table.scrollIntoViewIfNeeded();
      await until('the shop to be listed', async () => (await table.textContent()).includes(service));
    });

    test('every control has a name', async () => {
      await open({ from: 'now-2m', to: 'now' });
      assert.deepEqual(await nameless(page), []);
      await page.getByRole('combobox', { name: 'Dashboard' }).click();
      assert.deepEqual(await nameless(page), []);
    });

    test('another dashboard, in the light theme', async () => {
      await open({ from: 'now-2m', to: 'now' });
      await page.getByRole('combobox', { name: 'Dashboard' }).click();
      await page.getByRole('option', { name: /GC by NUMA node/ }).click();
      await page.getByRole('button', { name: 'Light theme' }).click();
      const plot = heatmap(page, 'GC pauses by NUMA node');
      await until('the pauses to be painted', async () => (await painted(page, plot)).colours > 3);
      assert.match(page.url(), /dashboard=gotherm-gc-numa/);
      assert.match(page.url(), /theme=light/);
      assert.deepEqual(await nameless(page), []);
    });
  });
}

const clock = (time) => new Date(time).toISOString().slice(11, 19);
