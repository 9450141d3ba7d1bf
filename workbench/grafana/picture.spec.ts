// What is seen is kept: as a picture, and as a table for who reads rather than looks.
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { chooseByKeys, expect, lately, latency, panelOf, plotsIn, searchOf, seeHeat, test } from './grafana';

for (const theme of ['dark', 'light']) {
  test(`the PNG of a panel is what was seen of it, in the ${theme} theme`, async ({
    page,
    makeDashboard,
    gotoDashboardPage,
  }) => {
    const uid = await makeDashboard([{ title: 'Time to run', targets: [latency] }]);
    await gotoDashboardPage({ uid, queryParams: searchOf(lately(60), { theme }) });
    const panel = panelOf(page, 'Time to run');
    await seeHeat(page, plotsIn(panel).first());
    const seen = await panel.getByTestId('heat content').screenshot({ animations: 'disabled' });

    const downloading = page.waitForEvent('download');
    await chooseByKeys(page, panel, 'Download PNG');
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/^time-to-run-\d{4}-.*\.png$/);
    const file = test.info().outputPath(download.suggestedFilename());
    await download.saveAs(file);

    expect(await alike(page, seen, readFileSync(file))).toBeGreaterThan(0.97);
  });
}

/** How much of what was seen is the same in a picture of it, which has a margin, and a title above it. */
async function alike(page: Page, seen: Buffer, picture: Buffer): Promise<number> {
  return page.evaluate(
    async (encoded) => {
      const [a, b] = await Promise.all(
        encoded.map(async (png) => {
          const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
          const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
          const { width, height } = bitmap;
          const context = new OffscreenCanvas(width, height).getContext('2d')!;
          context.drawImage(bitmap, 0, 0);
          return { width, height, data: context.getImageData(0, 0, width, height).data };
        })
      );
      const margin = (b.width - a.width) / 2;
      const head = b.height - a.height - margin;
      if (margin < 0 || head < margin || !Number.isInteger(margin)) {
        return 0;
      }
      let same = 0;
      for (let i = 0; i < a.data.length; i += 4) {
        const [x, y] = [(i / 4) % a.width, Math.floor(i / 4 / a.width)];
        const j = 4 * ((y + head) * b.width + x + margin);
        // A step of a colour is what two ways to draw the same may differ by; letters differ by more at their edges.
        same += [0, 1, 2].every((c) => Math.abs(a.data[i + c] - b.data[j + c]) <= 3) ? 1 : 0;
      }
      return same / (a.width * a.height);
    },
    [seen, picture].map((png) => png.toString('base64'))
  );
}

test('the keys read a cell, and the table has it too', async ({ page, makeDashboard, gotoDashboardPage }) => {
  const uid = await makeDashboard([{ title: 'Time to run', targets: [latency] }]);
  await gotoDashboardPage({ uid, queryParams: searchOf(lately(30)) });
  const panel = panelOf(page, 'Time to run');
  const plot = plotsIn(panel).first();
  await seeHeat(page, plot);
  await plot.focus();
  const readout = panel.getByTestId('heat readout');
  const heard = new Set<string>();
  // From nowhere the first key leads to the hottest cell.
  for (const key of ['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'Home', 'End']) {
    await page.keyboard.press(key);
    await expect(readout).toContainText('Count');
    heard.add((await readout.textContent())!);
  }
  expect(heard.size).toBeGreaterThan(3);
  const [hottest] = heard;
  const [, count] = /Count (\d+)/.exec(hottest)!;

  await chooseByKeys(page, panel, 'Show as table');
  const first = panel.getByRole('table').getByRole('row').nth(1);
  await expect(first.getByRole('cell', { name: count, exact: true }).first()).toBeVisible();
});
