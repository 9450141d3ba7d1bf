// Panels that are narrow, tall, small or full, and those that have nothing to show.
import { expect, lately, latency, painted, panelOf, plotsIn, searchOf, seeHeat, test } from './grafana';

test('a panel is readable whatever its shape is', async ({ page, makeDashboard, gotoDashboardPage }) => {
  const shapes = {
    narrow: { x: 0, y: 0, w: 4, h: 8 },
    tall: { x: 4, y: 0, w: 5, h: 22 },
    flat: { x: 9, y: 0, w: 15, h: 4 },
    small: { x: 0, y: 8, w: 3, h: 4 },
    wide: { x: 9, y: 4, w: 15, h: 10 },
  };
  const uid = await makeDashboard(
    Object.entries(shapes).map(([title, gridPos]) => ({ title, gridPos, targets: [latency] }))
  );
  await gotoDashboardPage({ uid, queryParams: searchOf(lately(60)) });
  for (const title of Object.keys(shapes)) {
    const panel = panelOf(page, title);
    const plot = plotsIn(panel).first();
    await seeHeat(page, plot);
    // Nothing reaches out of its panel, and most of the panel is heat.
    const [outer, inner] = await Promise.all([panel.boundingBox(), plot.boundingBox()]);
    expect(inner!.x, title).toBeGreaterThanOrEqual(outer!.x);
    expect(inner!.x + inner!.width, title).toBeLessThanOrEqual(outer!.x + outer!.width);
    expect(inner!.y + inner!.height, title).toBeLessThanOrEqual(outer!.y + outer!.height);
    expect(inner!.width / outer!.width, `${title}: width`).toBeGreaterThan(0.5);
    expect(inner!.height / outer!.height, `${title}: height`).toBeGreaterThan(0.25);
  }
  await page.screenshot({ path: test.info().outputPath('shapes.png') });
});

test('a range without hits says so, and a question that cannot be answered says why', async ({
  page,
  makeDashboard,
  gotoDashboardPage,
}) => {
  const uid = await makeDashboard([
    { title: 'Nothing', targets: [latency] },
    { title: 'Unknown point', targets: [{ ...latency, pom: 'no.such.point' }] },
    {
      title: 'Odd heat',
      ...snapshotPanel({ name: 'odd', meta: { type: 'heatmap-cells' }, fields: [{ name: 'a', type: 'number' }] }, [
        [1],
      ]),
    },
  ]);
  const longAgo = Date.UTC(2020, 0, 1);
  await gotoDashboardPage({ uid, queryParams: searchOf({ from: longAgo, to: longAgo + 60_000 }) });
  await expect(panelOf(page, 'Nothing')).toContainText('No data');
  const error = panelOf(page, 'Unknown point').getByTestId('data-testid Panel status error');
  await error.hover();
  await expect(page.getByRole('tooltip')).toContainText('no.such.point');
  await expect(panelOf(page, 'Odd heat')).toContainText('frame "odd" has no field x');
  await page.screenshot({ path: test.info().outputPath('nothing.png') });
});

test('a million cells are painted off the main thread, and each can be read', async ({
  page,
  makeDashboard,
  gotoDashboardPage,
}) => {
  const [side, start] = [1024, Date.UTC(2026, 0, 1)];
  const countAt = (column: number, row: number) => 1 + ((column * 7 + row * 13) % 60);
  const cells = Buffer.alloc(side * side);
  for (let i = 0; i < cells.length; i++) {
    cells[i] = 2 * countAt(Math.floor(i / side), i % side) + 1;
  }
  const compact = {
    version: 1,
    x: { start, step: 1000, columns: side },
    y: { unit: 's', bounds: Array.from({ length: side + 1 }, (_, i) => i / 1000) },
    count: { unit: 'short', cells: side * side, least: 1, most: 60 },
  };
  const uid = await makeDashboard([
    {
      title: 'A million',
      gridPos: { x: 0, y: 0, w: 24, h: 20 },
      ...snapshotPanel(
        {
          name: 'million',
          meta: { type: 'heatmap-cells', custom: { compact } },
          fields: [{ name: 'cells', type: 'string', config: { unit: 'short' } }],
        },
        [[cells.toString('base64')]]
      ),
    },
  ]);
  await gotoDashboardPage({ uid, queryParams: searchOf({ from: start, to: start + side * 1000 }) });
  const plot = plotsIn(panelOf(page, 'A million'));
  await seeHeat(page, plot, 30);
  await expect(plot.locator('canvas')).toHaveAttribute('data-painted', 'blob worker');
  expect((await painted(page, plot)).columns).toBeGreaterThan(900);

  const box = (await plot.boundingBox())!;
  for (const [x, y] of [
    [0.25, 0.5],
    [0.75, 0.1],
  ]) {
    await page.mouse.move(box.x + box.width * x, box.y + box.height * y);
    const text = (await page.getByTestId('heat tooltip').textContent())!;
    const [, minutes, seconds] = /00:(\d\d):(\d\d) –/.exec(text)!;
    const [, low, unit] = /Bucket\(([\d.]+) (ms|s),/.exec(text) ?? /Bucket\[([\d.]+) (ms|s),/.exec(text)!;
    const [column, row] = [60 * Number(minutes) + Number(seconds), Math.round(Number(low) * (unit === 's' ? 1000 : 1))];
    expect(text).toContain(`Count${countAt(column, row)}`);
  }
  await page.screenshot({ path: test.info().outputPath('million.png') });
});

/** What a panel has that shows a frame as it is, of Grafana's own data source. */
function snapshotPanel(schema: object, values: unknown[][]) {
  return {
    datasource: { type: 'datasource', uid: 'grafana' },
    targets: [snapshotOf(schema, values)],
  };
}

function snapshotOf(schema: object, values: unknown[][]) {
  return {
    refId: 'A',
    datasource: { type: 'datasource', uid: 'grafana' },
    queryType: 'snapshot',
    snapshot: [{ schema, data: { values } }],
  };
}
