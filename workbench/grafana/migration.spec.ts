// Who has a heatmap of Grafana's own changes its visualisation, and keeps what was set.
import { expect, lately, latency, plotsIn, seeHeat, test, timeOf } from './grafana';

test('a heatmap of Grafana becomes ours with its settings', async ({
  page,
  request,
  makeDashboard,
  gotoPanelEditPage,
}) => {
  const panel = {
    title: 'Heat',
    type: 'heatmap',
    targets: [latency],
    options: {
      calculate: false,
      cellGap: 2,
      color: { mode: 'scheme', scheme: 'Greens', steps: 40, reverse: true, min: 2, max: 900 },
      yAxis: { axisPlacement: 'right', reverse: true, unit: 'ms', decimals: 1, axisLabel: 'waited' },
      filterValues: { le: 1 },
      legend: { show: false },
      tooltip: { mode: 'none' },
    },
  };
  const uid = await makeDashboard([panel], { time: timeOf(lately(60)) });
  const edit = await gotoPanelEditPage({ dashboard: { uid }, id: '1' });
  await expect(edit.panel.locator).toBeVisible();
  await edit.setVisualization('Heat');
  await seeHeat(page, plotsIn(page).first());

  await page.getByTestId('data-testid Save dashboard button').click();
  await page.getByTestId('data-testid Save dashboard drawer button').click();
  await expect
    .poll(async () => (await (await request.get(`/api/dashboards/uid/${uid}`)).json()).dashboard?.panels[0])
    .toMatchObject({
      type: 'gotherm-heatmap-panel',
      options: {
        cellGap: 2,
        color: { scheme: 'Greens', steps: 40, reverse: true, min: 2, max: 900, hideUpTo: 1 },
        yAxis: { placement: 'right', reverse: true, unit: 'ms', decimals: 1, label: 'waited' },
        legend: { show: false },
        tooltip: { show: false },
      },
    });
});
