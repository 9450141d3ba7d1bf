// A release as a user sees it come: in the strip of versions, and as what it
// changed. A shop runs, another version of it that has but one P is rolled out,
// and the first one ends.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keep, largestSquare, nameless, openBrowser, painted, panel } from './browser.mjs';
import { queryComparison } from './heat.mjs';
import {
  call,
  firstHeat,
  freePort,
  needBuilt,
  out,
  service,
  startAgent,
  startShop,
  startWorkbench,
  stop,
  stopAll,
  until,
} from './street.mjs';

const title = 'Scheduler latency';
const [first, second] = ['1.4.0', '1.5.0'];
/** Eight blocks of two seconds are the least that are compared, and both ends of a block may be cut off. */
const enough = 18_000;
/** The newest seconds are left out. */
const settled = 5000;

describe('a release', () => {
  let workbench;
  let range;
  let browser;
  let page;
  let complaints;
  let talk;

  before(async () => {
    needBuilt();
    const ports = [await freePort(), await freePort()];
    const { url: agent } = await startAgent(ports);
    ({ url: workbench } = await startWorkbench(agent, 19));
    const started = Date.now();
    const old = await startShop({ runs: first, port: ports[0] });
    await firstHeat(agent, 'sched.latency');
    await sleep(enough);
    await startShop({ runs: second, port: ports[1], env: { GOMAXPROCS: '1' } });
    await until('the agent to see the release', async () => {
      const { releases = [] } = await call(agent, 'ListReleases', {});
      return releases.some((release) => release.version === second);
    });
    await sleep(2000);
    await stop(old);
    [browser] = await Promise.all([openBrowser(), sleep(enough + settled - 2000)]);
    range = { from: started - 5000, to: Math.floor(Date.now() / 1000) * 1000 - settled };
  });

  after(async () => {
    await browser?.close();
    await stopAll();
  });

  afterEach(async ({ name }) => {
    await keep(`difference ${name}`, page, talk);
    await page.close();
    assert.deepEqual(complaints, [], 'the console complained');
  });

  async function open(search) {
    const address = new URLSearchParams({ ...range, live: 'off', refresh: 'off', ...search });
    ({ page, complaints, talk } = await browser.open(`${workbench}/?${address}`));
  }

  const strip = (of = title) => panel(page, of).getByTestId('version strip');
  const version = (name, of) => strip(of).getByRole('button', { name: new RegExp(`^${service} ${name},`) });
  const shown = () => panel(page, title).getByTestId('comparison');

  async function compareByKeys() {
    await version(first).focus();
    await page.keyboard.press('Enter');
    await version(second).focus();
    await page.keyboard.press('Enter');
    await shown().waitFor();
  }

  test('is in the strip of versions, beside the one before while both run', async () => {
    await open();
    await strip().waitFor();
    const boxes = await Promise.all(
      [first, second].map((name) =>
        version(name)
          .locator('rect[fill]')
          .evaluateAll((rects) => rects.map((rect) => rect.getBoundingClientRect().toJSON()))
      )
    );
    const whole = Math.max(...boxes.flat().map(({ height }) => height));
    // Each runs alone for a time, and both for a time.
    for (const pieces of boxes) {
      assert.deepEqual(new Set(pieces.map(({ height }) => Math.round(whole / height))), new Set([1, 2]));
    }
    await version(first).hover();
    await page.getByRole('tooltip').filter({ hasText: 'last seen' }).waitFor();
    assert.deepEqual(await nameless(page), []);
  });

  test('is compared with the one before by keys, and says what the data source says', async () => {
    await open();
    await compareByKeys();
    const said = await queryComparison(
      workbench,
      {
        pom: 'sched.latency',
        matchers: [{ dimension: 'service', values: [service] }],
        baseline: { version: first },
        candidate: { version: second },
      },
      range
    );
    assert.equal(said.refused ?? '', '');
    const findings = await shown().getByTestId('findings').textContent();
    assert.ok(findings.includes(said.words), `${findings} does not say: ${said.words}`);
    assert.match(findings, new RegExp(`Baseline: ${first}.*Candidate: ${second}.*Change`));
    assert.ok(said.significantCells > 0, `one P makes goroutines wait: ${said.words}`);

    const plot = shown().getByRole('application');
    await until('the difference to be painted', async () => (await painted(page, plot)).colours > 4);
    // From nowhere the keys lead to the greatest difference that is significant.
    await plot.focus();
    await page.keyboard.press('ArrowRight');
    const readout = panel(page, title).getByTestId('heat readout');
    const text = await until('a cell to be read out', () => readout.textContent());
    const [, baseline, candidate, difference] =
      /Baseline ([\d.]+)%, Candidate ([\d.]+)%, Difference ([+-]?[\d.]+)%, q .*, Significant yes/.exec(text) ?? [];
    assert.ok(Math.abs(candidate - baseline - difference) < 0.01, text);

    await page.keyboard.press('Enter');
    const drawer = page.getByRole('dialog');
    const hits = await until('what is in the cell on both sides', async () => {
      const [, before, since] =
        /Cell of the baseline1\.4\.0: (\d+) hits.*Cell of the candidate1\.5\.0: (\d+) hits/.exec(
          await drawer.textContent()
        ) ?? [];
      return since && [before, since].map(Number);
    });
    assert.deepEqual(
      hits.map((n) => n > 0),
      [baseline > 0, candidate > 0],
      `${hits} hits: ${text}`
    );
    assert.deepEqual(await nameless(page), []);
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    assert.equal(await until('the cell to be read out again', () => readout.textContent()), text);
  });

  test('is a table and a picture of what differs, by its menu', async () => {
    await open();
    await compareByKeys();
    const choose = async (item) => {
      await panel(page, title).getByRole('button', { name: 'Heat menu' }).press('Enter');
      await page.getByRole('menuitem', { name: item }).click();
    };
    const saved = page.waitForEvent('download');
    await choose('Download PNG');
    assert.match((await saved).suggestedFilename(), /^scheduler-latency-.*\.png$/);
    const picture = path.join(out, 'difference.png');
    await (await saved).saveAs(picture);
    // As seen: the colours that its caption explains are in it, as squares.
    const squares = await shown()
      .getByTitle(/^(Baseline|Candidate): /)
      .evaluateAll((all) => all.map((one) => getComputedStyle(one).borderLeftColor));
    assert.equal(squares.length, 2);
    for (const colour of squares) {
      assert.ok((await largestSquare(page, picture, colour)) >= 10, `no square of ${colour} in ${picture}`);
    }
    await choose('Show as table');
    const table = panel(page, title).getByRole('table').filter({ hasText: 'Significant' });
    assert.match(
      await table.locator('thead').textContent(),
      /Series.*Time.*Bucket.*Baseline.*Candidate.*Difference.*q.*Significant/
    );
    assert.match(await table.locator('tbody tr').first().textContent(), /yes$/, 'what is significant comes first');
    await choose('Show as heatmap');
    await shown().waitFor();
  });

  test('is flipped, set side by side and blended without leaving the keyboard', async () => {
    await open();
    await compareByKeys();
    const modes = shown().getByRole('radiogroup', { name: 'Show the comparison as' });
    await modes.getByRole('radio', { name: 'Difference' }).focus();
    await page.keyboard.press('ArrowRight');
    await shown().getByTitle(`Baseline: ${first};`).waitFor();
    await shown().getByRole('application').focus();
    await page.keyboard.press('Space');
    await shown().getByTitle(`Candidate: ${second};`).waitFor();

    await modes.getByRole('radio', { name: 'Flip' }).focus();
    await page.keyboard.press('ArrowRight');
    const plots = shown().getByRole('application');
    await until('both sides', async () => (await plots.count()) === 2);
    const [left, right] = await Promise.all([plots.nth(0).boundingBox(), plots.nth(1).boundingBox()]);
    assert.ok(left.x + left.width < right.x, 'the baseline is on the left');
    assert.equal(left.height, right.height);
    for (const plot of [plots.nth(0), plots.nth(1)]) {
      await until('a side to be painted', async () => (await painted(page, plot)).colours > 4);
    }

    await modes.getByRole('radio', { name: 'Side by side' }).focus();
    await page.keyboard.press('ArrowRight');
    const slider = shown().getByRole('slider');
    await slider.focus();
    await page.keyboard.press('End');
    assert.equal(await slider.inputValue(), '100');
    assert.deepEqual(await nameless(page), []);

    await shown().getByRole('button', { name: 'Back to heat' }).click();
    await shown().waitFor({ state: 'detached' });
  });

  test('sets the variables of its dashboard, by a drag from one version to the other', async () => {
    await open({ dashboard: 'gotherm-release' });
    const heat = 'Requests, by version';
    await strip(heat).waitFor();
    // The other way round than the dashboard has it.
    const [from, to] = await Promise.all(
      [second, first].map((name) => version(name, heat).locator('rect[fill]').first().boundingBox())
    );
    await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
    await page.mouse.down();
    await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 5 });
    await page.mouse.up();
    await until('the address to name both', () => {
      const { searchParams } = new URL(page.url());
      return searchParams.get('var-baseline') === second && searchParams.get('var-candidate') === first;
    });
    const findings = panel(page, 'Time to be scheduled').getByTestId('findings');
    await findings.scrollIntoViewIfNeeded();
    await panel(page, 'Time to be scheduled').getByText(`more in the baseline: ${second}`).waitFor();
  });

  describe('that two annotations tell of', () => {
    const mark = (name) =>
      panel(page, title).getByRole('button', { name: new RegExp(`^Annotation at .*: ${service} ${name}:`) });

    /** Each is called what it is of, and beside that is when it was. */
    async function sidesAre(baseline, candidate) {
      for (const [side, name] of [
        ['Baseline', baseline],
        ['Candidate', candidate],
      ]) {
        const line = shown().getByRole('rowheader', { name: `${side}: ${name}`, exact: true });
        assert.match(await line.locator('..').getAttribute('title'), /\d\d:\d\d:\d\d – \d\d:\d\d:\d\d/);
        const caption = shown().getByTitle(`${side}: ${name}`);
        assert.match(await caption.textContent(), new RegExp(`^more in the ${side.toLowerCase()}: ${name}`));
      }
    }

    test('is compared by a drag of the mouse from one to the other', async () => {
      await open();
      const [from, to] = [await mark(second).boundingBox(), await mark(first).boundingBox()];
      const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
      await page.mouse.move(...middle(from));
      await page.mouse.down();
      await page.mouse.move(...middle(to), { steps: 10 });
      await page.getByRole('tooltip').filter({ hasText: 'Drop here to compare it with the baseline' }).waitFor();
      await page.mouse.up();
      await shown().waitFor();
      await sidesAre(second, first);
    });

    test('is not compared by a drag that ends beside one', async () => {
      await open();
      const from = await mark(first).boundingBox();
      await page.mouse.move(from.x + 5, from.y + 3);
      await page.mouse.down();
      await page.mouse.move(from.x + 60, from.y + 60, { steps: 5 });
      await page.mouse.up();
      // What was grabbed is let go: the next is chosen by itself.
      await mark(second).click();
      await panel(page, title)
        .getByTestId('choice')
        .filter({ hasText: `Baseline: ${second}.` })
        .waitFor();
      assert.equal(await shown().count(), 0);
    });

    test('is compared by keys, of which Escape takes the first choice back', async () => {
      await open();
      const choice = panel(page, title).getByTestId('choice');
      await mark(second).press('Enter');
      await choice.filter({ hasText: `Baseline: ${second}.` }).waitFor();
      // The first is for the tooltip.
      await mark(second).press('Escape');
      await mark(second).press('Escape');
      await choice.waitFor({ state: 'detached' });
      await mark(first).press('Enter');
      await mark(second).press('Space');
      await shown().waitFor();
      await sidesAre(first, second);
    });
  });

  test('is refused as a comparison of windows that are too short, and both are seen', async () => {
    await open();
    await strip().waitFor();
    const plot = panel(page, title).getByRole('application');
    const box = await plot.boundingBox();
    await page.keyboard.down('Shift');
    for (const at of [0.3, 0.7]) {
      await page.mouse.move(box.x + box.width * at, box.y + box.height / 2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * (at + 0.08), box.y + box.height / 2, { steps: 4 });
      await page.mouse.up();
    }
    await page.keyboard.up('Shift');
    await shown().getByRole('alert').filter({ hasText: 'too few blocks' }).waitFor();
    await until('both sides', async () => (await shown().getByRole('application').count()) === 2);
    assert.equal(await shown().getByRole('radio', { name: 'Difference' }).isDisabled(), true);
  });
});
