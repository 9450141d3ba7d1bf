// The options of the panel, each of which is changed without a pointer.
import { expect, lately, latency, panelOf, plotsIn, seeHeat, test, timeOf } from './grafana';
import type { Locator, Page } from '@playwright/test';

/** What is typed into an option, and what the dashboard then keeps. */
interface Change {
  category: string;
  name: string;
  by: (page: Page, field: Locator) => Promise<void>;
  path: string;
  kept: unknown;
}

const choose = (label: string) => async (page: Page, field: Locator) => {
  await field.getByRole('combobox').first().focus();
  await page.keyboard.type(label);
  await page.keyboard.press('Enter');
};
const type = (text: string) => async (page: Page, field: Locator) => {
  await field.getByRole('textbox').or(field.getByRole('spinbutton')).first().focus();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type(text);
  await page.keyboard.press('Tab');
};
const flip = async (page: Page, field: Locator) => {
  await field.getByRole('switch').focus();
  await page.keyboard.press('Space');
};
const next = async (page: Page, field: Locator) => {
  await field.getByRole('radio', { checked: true }).focus();
  await page.keyboard.press('ArrowRight');
};
const slide = async (page: Page, field: Locator) => {
  await field.getByRole('slider').focus();
  await page.keyboard.press('ArrowRight');
};

const changes: Change[] = [
  ['Heat', 'Series', choose('Added up'), 'series', 'sum'],
  ['Heat', 'Color shows', choose('Share of column'), 'color.measure', 'share'],
  ['Heat', 'Color scale', choose('Symlog'), 'color.scale', 'symlog'],
  ['Heat', 'Linear up to', type('0.01'), 'color.linearUpTo', 0.01],
  ['Heat', 'Color scheme', choose('RdBu'), 'color.scheme', 'RdBu'],
  ['Heat', 'Midpoint', type('0.1'), 'color.midpoint', 0.1],
  ['Heat', 'Reverse', flip, 'color.reverse', true],
  ['Heat', 'Steps', slide, 'color.steps', 65],
  ['Heat', 'Coldest', type('0.001'), 'color.min', 0.001],
  ['Heat', 'Hottest', type('0.5'), 'color.max', 0.5],
  ['Heat', 'Hide counts up to', type('1'), 'color.hideUpTo', 1],
  ['Heat', 'Hide counts from', type('100000'), 'color.hideFrom', 100_000],
  ['Heat', 'Cell gap', slide, 'cellGap', 1],
  ['Y axis', 'Label', type('waited'), 'yAxis.label', 'waited'],
  ['Y axis', 'Scale', choose('Symlog'), 'yAxis.scale', 'symlog'],
  ['Y axis', 'Linear up to', type('0.00001'), 'yAxis.linearUpTo', 0.00001],
  ['Y axis', 'Decimals', type('1'), 'yAxis.decimals', 1],
  ['Y axis', 'Min', type('0.000001'), 'yAxis.min', 0.000001],
  ['Y axis', 'Max', type('0.1'), 'yAxis.max', 0.1],
  ['Y axis', 'Reverse', flip, 'yAxis.reverse', true],
  ['Y axis', 'Shared by', type('waits'), 'yAxis.group', 'waits'],
  ['Y axis', 'Placement', next, 'yAxis.placement', 'right'],
  ['X axis', 'Label', type('when'), 'xAxis.label', 'when'],
  ['X axis', 'Scale of bins', next, 'xAxis.scale', 'log'],
  ['X axis', 'Decimals of bins', type('2'), 'xAxis.decimals', 2],
  ['Releases', 'Show versions', flip, 'versions.show', false],
  ['Comparison', 'Show as', choose('Side by side'), 'comparison.mode', 'side by side'],
  ['Comparison', 'Color scheme', choose('RdYlBu'), 'comparison.scheme', 'RdYlBu'],
  ['Comparison', 'Reverse', flip, 'comparison.reverse', true],
  ['Comparison', 'Color scale', next, 'comparison.scale', 'linear'],
  ['Beside the heat', 'Hits of rows', flip, 'histograms.right', true],
  ['Beside the heat', 'Hits of columns', flip, 'histograms.top', true],
  ['Beside the heat', 'Lines', flip, 'lines.show', false],
  ['Tooltip', 'Show tooltip', flip, 'tooltip.show', false],
  ['Legend', 'Show color scale', flip, 'legend.show', false],
].map(([category, name, by, path, kept]) => ({ category, name, by, path, kept }) as Change);

test('every option is changed by keys, and the dashboard keeps it', async ({
  page,
  request,
  makeDashboard,
  gotoPanelEditPage,
}) => {
  test.setTimeout(600_000);
  const uid = await makeDashboard([{ title: 'Heat', targets: [latency] }], { time: timeOf(lately(60)) });
  const edit = await gotoPanelEditPage({ dashboard: { uid }, id: '1' });
  await seeHeat(page, plotsIn(page).first());

  for (const { category, name, by } of changes) {
    await test.step(`${category}: ${name}`, async () => {
      const group = edit.getCustomOptions(category);
      await group.expand();
      const field = page.getByLabel(`${category} ${name} field property editor`, { exact: true });
      await field.scrollIntoViewIfNeeded();
      await by(page, field);
    });
  }
  await page.screenshot({ path: test.info().outputPath('changed.png') });

  await page.getByTestId('data-testid Save dashboard button').click();
  await page.getByTestId('data-testid Save dashboard drawer button').click();
  await expect
    .poll(async () => {
      const answer = await request.get(`/api/dashboards/uid/${uid}`);
      const { options } = (await answer.json()).dashboard.panels[0];
      return Object.fromEntries(changes.map(({ path }) => [path, at(options, path)]));
    })
    .toEqual(Object.fromEntries(changes.map(({ path, kept }) => [path, kept])));
  await seeHeat(page, plotsIn(panelOf(page, 'Heat')).first());
});

const at = (options: object, path: string) =>
  path.split('.').reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], options);
