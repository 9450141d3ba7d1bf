// What is in a cell: opened by keys, with ways on from there.
import { expect, lately, latency, panelOf, plotsIn, searchOf, seeHeat, test } from './grafana';

test('a cell opens to the goroutines in it, and closes to where one was', async ({
  page,
  makeDashboard,
  gotoDashboardPage,
}) => {
  const uid = await makeDashboard([{ title: 'Time to run', targets: [latency] }]);
  await gotoDashboardPage({ uid, queryParams: searchOf(lately(30)) });
  const panel = panelOf(page, 'Time to run');
  const plot = plotsIn(panel).first();
  await seeHeat(page, plot);
  await plot.focus();
  // From nowhere the first key leads to the hottest cell.
  await page.keyboard.press('ArrowRight');
  const [, count] = /Count (\d+)/.exec((await panel.getByTestId('heat readout').textContent())!)!;
  await page.keyboard.press('Enter');

  const drawer = page.getByRole('dialog');
  await expect(drawer).toContainText(`Count${count}`);
  const functions = drawer.getByRole('table', { name: 'Start function' });
  await expect(functions.getByRole('row').first()).toContainText('%');
  await expect(drawer.getByRole('table', { name: 'Goroutines' }).getByRole('row').nth(1)).toBeVisible();
  await expect(drawer.getByRole('link', { name: /Explore/ }).first()).toHaveAttribute('href', /\/explore\?/);
  await page.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await expect(plot).toBeFocused();
});
