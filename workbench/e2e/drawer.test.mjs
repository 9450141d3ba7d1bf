// Into a cell, on the whole street: a click on heat says which functions of
// which process it is made of, and the keyboard gets there and back.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { heatmap, keep, nameless, openBrowser, panel } from './browser.mjs';
import { firstHeat, needBuilt, startAgent, startShop, startWorkbench, stopAll, until } from './street.mjs';

const latency = 'Scheduler latency';

let workbench;
let shop;
let browser;
let page;
let complaints;
let talk;

before(async () => {
  needBuilt();
  shop = await startShop();
  const { url: agent } = await startAgent(shop);
  await firstHeat(agent, 'sched.latency');
  await sleep(15_000);
  ({ url: workbench } = await startWorkbench(agent, 19));
});

after(stopAll);

beforeEach(async () => {
  browser = await openBrowser();
  const to = Math.floor(Date.now() / 1000 - 6) * 1000;
  ({ page, complaints, talk } = await browser.open(`${workbench}/?from=${to - 10_000}&to=${to}&live=off&refresh=off`));
  await heatmap(page, latency).waitFor();
});

afterEach(async ({ name }) => {
  await keep(`drawer ${name}`, page, talk);
  await browser.close();
  assert.deepEqual(complaints, []);
});

/** Goes to the hottest cell by the keyboard, and gives what is read out of it. */
async function hottest() {
  await heatmap(page, latency).focus();
  await page.keyboard.press('ArrowLeft');
  const readout = panel(page, latency).getByTestId('heat readout');
  return until('a cell to be read out', () => readout.textContent());
}

const counts = (table) => table.locator('tr td:nth-child(2)').allTextContents();

test('Enter opens a cell, whose functions add up to it, and Escape leads back to it', async () => {
  const said = await hottest();
  const count = Number(/count (\d+)/i.exec(said)[1]);
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog');
  const functions = drawer.getByRole('table', { name: 'Start function' });
  await functions.waitFor();
  assert.match(await functions.textContent(), /net\/http|runtime|main/);
  const sum = (await counts(functions)).map(Number).reduce((a, b) => a + b);
  assert.equal(sum, count, await functions.textContent());
  assert.match(await drawer.textContent(), new RegExp(`${shop.pid}-\\d+`), 'the process is named');
  assert.match(await drawer.textContent(), /Service\s*shop/);
  assert.match(await drawer.getByRole('table', { name: 'Goroutines' }).textContent(), /\d+/);
  assert.deepEqual(await nameless(page), []);

  for (let i = 0; i < 5; i++) {
    await page.keyboard.press('Tab');
    const isInside = await drawer.evaluate((element) => element.contains(document.activeElement));
    assert.ok(isInside, 'the focus stays in the drawer');
  }
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });
  const readout = panel(page, latency).getByTestId('heat readout');
  assert.equal(await until('the cell to be read out again', () => readout.textContent()), said);
});

test('a click opens the cell under the pointer, and the brush still selects', async () => {
  const plot = heatmap(page, latency);
  await hottest();
  // Where the keyboard's cell is marked, which goes with the pointer.
  const mark = await plot.locator('svg rect').last().boundingBox();
  const [x, y] = [mark.x + mark.width / 2, mark.y + mark.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.up();
  const drawer = page.getByRole('dialog');
  await drawer.getByRole('table', { name: 'Start function' }).waitFor();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });

  const before = new URL(page.url()).searchParams.get('from');
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x > 700 ? x - 200 : x + 200, y, { steps: 4 });
  await page.mouse.up();
  await until('the range to change', () => new URL(page.url()).searchParams.get('from') !== before);
  assert.equal(await drawer.count(), 0, 'a drag opens nothing');
});
