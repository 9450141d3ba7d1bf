// Saved heat: what a user has seen of a running shop is kept in a file, and is
// seen again where nothing answers any more.
import assert from 'node:assert/strict';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { heatmap, keep, nameless, openBrowser, painted, panel } from './browser.mjs';
import { queryHeat } from './heat.mjs';
import { firstHeat, needBuilt, out, startAgent, startShop, startWorkbench, stop, stopAll, until } from './street.mjs';

const title = 'Scheduler latency';
const step = 1000;
const file = path.join(out, 'saved.heat.json');

describe('saved heat', () => {
  let agent;
  let workbench;
  let cells;
  let range;
  let browser;
  let page;
  let complaints;
  let talk;
  /** Addresses that the page has asked for. */
  let asked;

  before(async () => {
    needBuilt();
    const started = await startAgent(await startShop());
    agent = started.agent;
    await firstHeat(started.url, 'sched.latency');
    ({ url: workbench } = await startWorkbench(started.url, 19));
    await sleep(9000);
    // The newest four seconds may still grow; from the first column to the last, as a file has them.
    const to = Math.floor(Date.now() / step) * step - 5000;
    [cells] = await queryHeat(workbench, { kind: 'heatmap', pom: 'sched.latency' }, { from: to - 10_000, to });
    const ends = cells.map(({ end }) => end);
    range = { from: Math.min(...ends) - step, to: Math.max(...ends) };
  });

  after(stopAll);

  beforeEach(async () => {
    browser = await openBrowser();
    ({ page, complaints, talk } = await browser.open('about:blank'));
    // Releases are not in a file: without them the plot is as high as that of saved heat.
    await page.route('**/api/dashboards', async (route) => {
      const response = await route.fetch();
      const files = await response.json();
      files.forEach(({ dashboard }) => dashboard && (dashboard.annotations = { list: [] }));
      await route.fulfill({ response, json: files });
    });
    await page.goto(`${workbench}/?${new URLSearchParams({ ...range, live: 'off', refresh: 'off' })}`);
    asked = [];
    page.on('request', (request) => asked.push(request.url()));
  });

  afterEach(async ({ name }) => {
    await keep(`replay ${name}`, page, talk);
    await browser.close();
  });

  const plot = () => heatmap(page, title);
  const bar = () => panel(page, title).getByTestId('heat replay');
  const isPainted = async () => (await painted(page, plot())).colours > 3;

  async function choose(item) {
    await panel(page, title).getByRole('button', { name: 'Heat menu' }).click();
    await page.getByRole('menuitem', { name: item }).click();
  }

  const open = (what) => panel(page, title).getByLabel('Saved heat').setInputFiles(what);

  /** The cells in words, as the panel's table has them. */
  async function listed() {
    await choose('Show as table');
    const text = await panel(page, title).getByRole('table').innerText();
    await choose('Show as heatmap');
    return text;
  }

  /** The plot as it is painted, pixel by pixel. */
  async function picture() {
    await page.mouse.move(0, 0);
    await until('the heat', isPainted);
    return (await plot().locator('canvas').screenshot()).toString('base64');
  }

  test('is opened where nothing answers any more, and is the same', async () => {
    await until('the heat', isPainted);
    const words = await listed();
    // What is said of a file takes some of the plot's height, as what is said of saved heat does.
    await open({ name: 'none.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
    await bar().getByRole('alert').waitFor();
    const seen = await picture();
    await bar().getByRole('button', { name: 'Dismiss' }).click();
    assert.deepEqual(
      asked.filter((url) => url.includes('.wasm')),
      [],
      'the program is not fetched before it is needed'
    );

    const download = page.waitForEvent('download');
    await choose('Save heat');
    assert.match((await download).suggestedFilename(), /^scheduler-latency-[\d-]+\.heat\.json$/);
    await (await download).saveAs(file);
    const [frame] = JSON.parse(readFileSync(file, 'utf8')).frames;
    assert.equal(frame.schema.meta.custom.compact.count.cells, cells.length);
    const programs = asked.filter((url) => url.includes('.wasm'));
    assert.equal(programs.length, 1);
    assert.match(
      programs[0],
      new RegExp(`^${workbench}/public/plugins/gotherm-runtime-app/heat/replay\\.\\w+\\.wasm$`)
    );
    assert.deepEqual(complaints, [], 'the console complained');

    await stop(agent);
    await page.reload();
    await until('the panel to say that nothing answers', async () =>
      /does not answer/.test(await panel(page, title).textContent())
    );
    assert.deepEqual(await nameless(page), []);
    const chooser = page.waitForEvent('filechooser');
    await panel(page, title).getByRole('button', { name: 'Open saved heat…' }).click();
    await (await chooser).setFiles(file);
    await until('the saved heat', isPainted);
    assert.match(await bar().getByRole('status').textContent(), /^Scheduler latency, .* as saved at /);
    assert.equal(await listed(), words);
    assert.equal(await picture(), seen);

    // A part of it, and all of it again: nobody is asked.
    asked.length = 0;
    const address = page.url();
    const box = await plot().boundingBox();
    const [left, right, middle] = [box.x + box.width * 0.25, box.x + box.width * 0.75, box.y + box.height / 2];
    await page.mouse.move(left, middle);
    await page.mouse.down();
    await page.mouse.move(right, middle, { steps: 5 });
    await page.mouse.up();
    await bar().getByRole('button', { name: 'Show all of it' }).waitFor();
    const part = await listed();
    assert.notEqual(part, words, 'a part has other cells');
    await bar().getByRole('button', { name: 'Show all of it' }).click();
    assert.equal(await listed(), words);
    assert.equal(await picture(), seen);
    assert.equal(page.url(), address, 'the dashboard shows the range that it did');
    assert.deepEqual(
      asked.filter((url) => !url.endsWith('/api/health')),
      []
    );

    await bar().getByRole('button', { name: 'Back to the data' }).click();
    await until('the panel to say again that nothing answers', async () =>
      /does not answer/.test(await panel(page, title).textContent())
    );
  });

  test('that is none, cut off, torn or huge is refused in a sentence that says what is wrong', async () => {
    const text = readFileSync(file, 'utf8');
    const torn = JSON.parse(text);
    const [cell] = torn.frames[0].data.values[0];
    torn.frames[0].data.values[0] = [cell.slice(4)];
    const huge = path.join(out, 'huge.heat.json');
    writeFileSync(huge, '');
    truncateSync(huge, 64 * 2 ** 20 + 1);
    const other = { ...JSON.parse(text), version: 2 };
    const named = (name, content) => ({ name, mimeType: 'application/json', buffer: Buffer.from(content) });
    const refused = [
      [named('dashboard.json', '{"title": "Go heat", "panels": []}'), /no saved heat: field gotherm must be "heat"/],
      [named('cut.heat.json', text.slice(0, text.length / 2)), /no JSON, or cut off: .+/],
      [named('new.heat.json', JSON.stringify(other)), /field version is 2, must be 1/],
      [named('torn.heat.json', JSON.stringify(torn)), /open heat: read cells: /],
      [huge, /it has 67108865 bytes, at most 67108864/],
    ];
    for (const [what, why] of refused) {
      await open(what);
      const name = what.name ?? path.basename(what);
      await until(`${name} to be refused`, async () =>
        (await bar().textContent()).startsWith(`${name} can't be opened: `)
      );
      assert.match(await bar().getByRole('alert').textContent(), why);
    }
    await bar().getByRole('button', { name: 'Dismiss' }).click();
    await bar().waitFor({ state: 'detached' });
    // One that is well opens all the same.
    await open(file);
    await until('the saved heat', isPainted);
  });
});
