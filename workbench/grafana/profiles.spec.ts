// From profiles back to heat: of the same program, at the same time.
import type { Page } from '@playwright/test';
import { expect, ours, plotsIn, seeHeat, test } from './grafana';

const inExplore = (query: object) =>
  new URLSearchParams({
    schemaVersion: '1',
    panes: JSON.stringify({
      profile: {
        datasource: ours.uid,
        queries: [{ refId: 'A', datasource: ours, ...query }],
        range: { from: 'now-5m', to: 'now' },
      },
    }),
  });

/** Goes where a link of ours leads, and sees heat there. */
async function seeHeatBehind(page: Page, href: string | null) {
  expect(href).toMatch(/\/explore\?/);
  await page.goto(href!);
  await seeHeat(page, plotsIn(page).first());
}

test('a flame graph in Explore says whose it is, which leads to the heat', async ({ page, explorePage }) => {
  await explorePage.goto({
    queryParams: inExplore({ kind: 'flame', profile: { target: 'shop', type: 'cpu', seconds: 2 } }),
  });
  await expect(page.getByTestId('flameGraph').first()).toBeVisible();
  const whose = page.getByRole('gridcell').getByRole('link', { name: /^\d+-\d+$/ });
  await seeHeatBehind(page, await whose.getAttribute('href'));
});

test('a function of the table of a profile leads to the heat', async ({ page, explorePage }) => {
  await explorePage.goto({ queryParams: inExplore({ kind: 'top', profile: { target: 'shop', type: 'heap' } }) });
  const names = page.getByRole('gridcell').getByRole('link');
  await seeHeatBehind(page, await names.first().getAttribute('href'));
});
