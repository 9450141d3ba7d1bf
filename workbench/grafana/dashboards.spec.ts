// The dashboards that come with the plugin, as who opens them sees them.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, heatPanel, panelOf, plotsIn, seeHeat, test } from './grafana';

interface Provisioned {
  uid: string;
  title: string;
  panels: Array<{ title: string; type: string; gridPos: { y: number; h: number } }>;
}

const folder = path.resolve(import.meta.dirname, '../../provisioning/dashboards');
const dashboards = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file): Provisioned => JSON.parse(readFileSync(path.join(folder, file), 'utf8')));

/** Of two processes, or of two releases: one is enough for all others. */
const needsTwo = [
  'Coupling',
  ...dashboards.find(({ uid }) => uid === 'gotherm-release')!.panels.map(({ title }) => title),
];

/** Height of a row of Grafana's grid with the gap below it, in pixels. */
const rowHeight = 38;

for (const theme of ['dark', 'light']) {
  test(`every dashboard shows its heat in the ${theme} theme`, async ({ page, gotoDashboardPage }) => {
    for (const { uid, title, panels } of dashboards) {
      await test.step(title, async () => {
        // So high that all panels are in sight: the others would not be asked for.
        const height = 250 + rowHeight * Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
        await page.setViewportSize({ width: 1400, height });
        const queryParams = new URLSearchParams({ from: 'now-5m', to: 'now', theme });
        const dashboard = await gotoDashboardPage({ uid, queryParams });
        for (const panel of panels.filter(({ type }) => type !== 'row')) {
          await expect(panelOf(page, panel.title).first(), panel.title).toBeVisible();
        }
        // Which two releases the dashboard for them compares is another story.
        for (const panel of panels.filter(({ type, title }) => type === heatPanel && !needsTwo.includes(title))) {
          await seeHeat(page, plotsIn(panelOf(page, panel.title)).first(), 3);
        }
        await expect(dashboard.getByGrafanaSelector('data-testid Panel status error')).toHaveCount(0);
        await page.screenshot({ path: test.info().outputPath(`${uid}.png`) });
      });
    }
  });
}
