// What a release changed: in the strip of versions, between two annotations, and on the dashboard for it.
import type { Page } from '@playwright/test';
import { expect, lately, latency, painted, panelOf, plotsIn, searchOf, seeHeat, test } from './grafana';

/** The demo releases the shop anew after four minutes; then there must be enough of both releases to compare. */
const patience = 8 * 60_000;

interface Report {
  refused?: string;
  words: string;
  significantCells: number;
  baseline: { label: string };
}

test('the dashboard Release shows what the last one changed', async ({ page, ask, gotoDashboardPage }) => {
  test.setTimeout(patience + 60_000);
  const query = {
    kind: 'compare',
    pom: 'http.request',
    baseline: { version: '(previous)' },
    candidate: { version: '(latest)' },
  };
  const reportOf = async () => {
    const now = Date.now();
    const frames = await ask(query, { from: now - 3_600_000, to: now });
    return frames.map(({ schema }) => schema.meta?.custom?.comparison as Report | undefined).find(Boolean);
  };
  await expect
    .poll(async () => (await reportOf())?.refused ?? '', { timeout: patience, message: 'two releases to compare' })
    .toBe('');

  await gotoDashboardPage({ uid: 'gotherm-release', queryParams: new URLSearchParams({ from: 'now-1h', to: 'now' }) });
  const changed = panelOf(page, 'What the release changed: requests');
  await expect(changed.getByTestId('findings')).toContainText(/p50 .* p99 .*cells differ/);
  // How much of it is beyond chance depends on how busy the machine is: all of it may be grey.
  await seeHeat(page, plotsIn(changed).first(), 2);
  const strip = changed.getByTestId('version strip');
  await expect(strip.getByRole('button', { name: /baseline/ })).toHaveCount(1);
  await expect(strip.getByRole('button', { name: /candidate/ })).toHaveCount(1);

  for (const mode of ['Flip', 'Side by side', 'Blend', 'Difference']) {
    await changed.getByRole('radio', { name: mode }).check({ force: true });
    await seeHeat(page, plotsIn(changed).first(), 2);
    await expect(plotsIn(changed)).toHaveCount(mode === 'Side by side' || mode === 'Blend' ? 2 : 1);
  }

  // The other way round, by keys: the dashboard's variables follow, and every panel with them.
  const byVersion = panelOf(page, 'Requests, by version').getByTestId('version strip').getByRole('button');
  await expect(byVersion.nth(1)).toBeVisible();
  const names = await byVersion.evaluateAll((all) =>
    all.map((one) => one.getAttribute('aria-label')!.split(/[ ,]+/)[1])
  );
  const [first, second] = names.slice(-2);
  await byVersion.nth(-1).focus();
  await page.keyboard.press('Enter');
  await byVersion.nth(-2).focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`var-baseline=${second}.*var-candidate=${first}`));
  await expect(changed.getByText(`more in the baseline: ${second}`)).toBeVisible();
});

test('two annotations of Grafana are compared: from the first on, and from the second on', async ({
  page,
  request,
  makeDashboard,
  gotoDashboardPage,
}) => {
  const range = lately(100);
  const middle = range.from + 50_000;
  const uid = await makeDashboard([{ title: 'Heat', targets: [latency] }], {
    annotations: {
      list: [
        {
          builtIn: 1,
          datasource: { type: 'grafana', uid: '-- Grafana --' },
          enable: true,
          hide: true,
          iconColor: 'rgba(0, 211, 255, 1)',
          name: 'Annotations & Alerts',
          type: 'dashboard',
        },
      ],
    },
  });
  for (const [time, text] of [
    [range.from + 2000, 'cache off'],
    [middle, 'cache on'],
  ]) {
    const answer = await request.post('/api/annotations', { data: { dashboardUID: uid, panelId: 0, time, text } });
    expect(answer.ok(), await answer.text()).toBe(true);
  }
  await gotoDashboardPage({ uid, queryParams: searchOf(range) });
  const panel = panelOf(page, 'Heat');
  await seeHeat(page, plotsIn(panel).first());
  await choose(page, /cache off/);
  await expect(panel.getByTestId('choice')).toContainText('Baseline: cache off');
  await choose(page, /cache on/);
  const comparison = panel.getByTestId('comparison');
  await expect(comparison.getByTestId('findings')).toContainText(/p50 .* p99 .*cells differ/);
  await seeHeat(page, plotsIn(comparison).first(), 2);
  expect((await painted(page, plotsIn(comparison).first())).columns).toBeGreaterThan(100);
  await comparison.getByRole('button', { name: 'Back to heat' }).click();
  await expect(comparison).toBeHidden();
});

async function choose(page: Page, text: RegExp) {
  await page.getByRole('button', { name: text }).focus();
  await page.keyboard.press('Enter');
}
