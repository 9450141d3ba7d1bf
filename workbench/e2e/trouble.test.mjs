// What a user sees when a part of the street is missing, and that all comes
// back by itself when the part does.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { heatmap, keep, openBrowser, painted, panel } from './browser.mjs';
import {
  firstHeat,
  freePort,
  needBuilt,
  startAgent,
  startShop,
  startWorkbench,
  stop,
  stopAll,
  until,
} from './street.mjs';

const latency = 'Scheduler latency';

let shop;
let browser;
let page;
let talk;

before(async () => {
  needBuilt();
  shop = await startShop();
});

after(stopAll);

afterEach(async ({ name }) => {
  await keep(name, page, talk);
  await browser.close();
});

async function open(url) {
  browser = await openBrowser();
  ({ page, talk } = await browser.open(url));
}

const status = () => page.getByRole('status').textContent();
const isPainted = async () => (await painted(page, heatmap(page, latency))).colours > 3;

test('an agent that is away is said, and its heat comes when it does', async () => {
  const port = await freePort();
  const { url, workbench } = await startWorkbench(`http://127.0.0.1:${port}`, 19);
  await open(`${url}/?from=now-2m&to=now&refresh=1s`);
  await until('the status to say so', async () => /does not answer/.test(await status()));
  assert.match(await panel(page, latency).textContent(), /does not answer/);

  const { agent } = await startAgent(shop, port);
  await until('the status to say that it is there', async () => /1 of 1 agents answer/.test(await status()));
  await until('its heat', isPainted);
  await stop(agent);
  await stop(workbench);
});

test('a back end that is killed is started again, and live heat goes on', async () => {
  const { url: agentUrl, agent } = await startAgent(shop);
  await firstHeat(agentUrl, 'sched.latency');
  const { url, workbench } = await startWorkbench(agentUrl, 19);
  await open(`${url}/?from=now-2m&to=now`);
  await until('the first heat', isPainted);
  process.kill(pluginOf(workbench.pid), 'SIGKILL');
  await until('the status to say so', async () => /started again once/.test(await status()));
  const shown = () => heatmap(page, latency).getAttribute('aria-label');
  const before = await shown();
  await until('newer columns', async () => (await shown()) !== before && (await isPainted()));
  await stop(workbench);
  await stop(agent);
});

test('a panel of a kind that the workbench does not have says so, and others are drawn', async () => {
  const { url: agentUrl, agent } = await startAgent(shop);
  await firstHeat(agentUrl, 'sched.latency');
  const { url, workbench } = await startWorkbench(agentUrl, 19);
  browser = await openBrowser();
  page = await browser.blank();
  await page.route('**/api/dashboards', async (route) => {
    const response = await route.fetch();
    const files = await response.json();
    const heat = files.find(({ dashboard }) => dashboard?.uid === 'gotherm-go-heat').dashboard;
    heat.panels.unshift({ id: 99, type: 'geomap', title: 'Map', gridPos: { x: 0, y: 0, w: 24, h: 4 } });
    files.push({ file: 'torn.json', error: 'unexpected end of JSON input' });
    await route.fulfill({ response, json: files });
  });
  await page.goto(url);
  await until('the other panels', isPainted);
  assert.match(await panel(page, 'Map').textContent(), /cannot draw a panel of type geomap/);
  assert.match(await page.getByRole('alert').first().textContent(), /torn\.json/);
  await stop(workbench);
  await stop(agent);
});

/** The process that the workbench runs the plugin in. */
function pluginOf(parent) {
  const pid = readdirSync('/proc').find((entry) => {
    try {
      return (
        /^\d+$/.test(entry) &&
        readFileSync(`/proc/${entry}/status`, 'utf8').includes(`\nPPid:\t${parent}\n`) &&
        readlinkSync(`/proc/${entry}/exe`).includes('gpx_gotherm_runtime')
      );
    } catch {
      return false; // It ended while we looked.
    }
  });
  assert.ok(pid, 'the workbench has started no plugin');
  return Number(pid);
}
