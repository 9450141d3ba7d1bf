// From profiles back to heat: of the same program, at the same time.
import type { APIRequestContext, Page } from '@playwright/test';
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

/** A program that answers: those that do are listed first. */
async function aTarget(request: APIRequestContext): Promise<string> {
  const answer = await request.get(`/api/datasources/uid/${ours.uid}/resources/targets`);
  return (await answer.json()).values[0];
}

/** Goes where a link of ours leads, and sees heat there. */
async function seeHeatBehind(page: Page, href: string | null) {
  expect(href).toMatch(/\/explore\?/);
  await page.goto(href!);
  await seeHeat(page, plotsIn(page).first());
}

test('a flame graph in Explore says whose it is, which leads to the heat', async ({ page, request, explorePage }) => {
  const target = await aTarget(request);
  await explorePage.goto({
    queryParams: inExplore({ kind: 'flame', profile: { target, type: 'cpu', seconds: 2 } }),
  });
  await expect(page.getByTestId('flameGraph').first()).toBeVisible();
  const whose = page.getByRole('gridcell').getByRole('link', { name: /^\d+-\d+$/ });
  await seeHeatBehind(page, await whose.getAttribute('href'));
});

test('a function of the table of a profile leads to the heat', async ({ page, request, explorePage }) => {
  const target = await aTarget(request);
  await explorePage.goto({ queryParams: inExplore({ kind: 'top', profile: { target, type: 'heap' } }) });
  const names = page.getByRole('gridcell').getByRole('link');
  await seeHeatBehind(page, await names.first().getAttribute('href'));
});
