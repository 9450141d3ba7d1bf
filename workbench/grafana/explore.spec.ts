// Our query editor where Grafana shows it, and an alert rule that asks our data source.
import { expect, lately, ours, plotsIn, seeHeat, test } from './grafana';

const panes = (query: object, { from, to } = lately(60)) =>
  JSON.stringify({
    heat: {
      datasource: ours.uid,
      queries: [{ refId: 'A', datasource: ours, ...query }],
      range: { from: String(from), to: String(to) },
    },
  });

test('Explore shows what our query editor asks for, chosen by keys', async ({ page, explorePage }) => {
  const queryParams = new URLSearchParams({
    schemaVersion: '1',
    panes: panes({ kind: 'heatmap', pom: 'sched.latency' }),
  });
  await explorePage.goto({ queryParams });
  const editor = explorePage.getQueryEditorRow('A');
  await seeHeat(page, plotsIn(page).first());

  const choose = async (name: string, text: string) => {
    await editor.getByRole('combobox', { name, exact: true }).focus();
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type(text);
    const option = page.getByRole('option', { name: text }).first();
    await option.waitFor();
    // What was typed may be the first choice, as it is.
    while ((await option.getAttribute('aria-selected')) !== 'true') {
      await page.keyboard.press('ArrowDown');
    }
    await page.keyboard.press('Enter');
  };
  await choose('Measurement point', 'gc.stw');
  await expect(editor).toContainText('Tier');
  await seeHeat(page, plotsIn(page).first(), 3);

  await choose('Kind', 'Series');
  await expect(editor.getByText('p99', { exact: true })).toBeVisible();
  await expect(page.getByTestId('data-testid Panel header Graph')).toBeVisible();

  for (const kind of [
    'Spectrum',
    'Goroutine grid',
    'Exemplars',
    'Processes',
    'Releases',
    'Comparison',
    'Cell',
    'Heatmap',
  ]) {
    await choose('Kind', kind);
    await expect(editor.getByRole('combobox', { name: 'Kind' })).toHaveValue(kind);
  }
  await choose('Measurement point', 'sched.latency');
  await seeHeat(page, plotsIn(page).first());
});

test('the rule for pauses of each NUMA node is evaluated', async ({ page, request }) => {
  const rules = async () => {
    const answer = await request.get('/api/prometheus/grafana/api/v1/rules');
    const { data } = await answer.json();
    return data.groups.flatMap(({ rules }: { rules: object[] }) => rules) as Array<{
      name: string;
      health: string;
      lastError?: string;
      lastEvaluation: string;
    }>;
  };
  const name = 'GC pauses are long (p99 by NUMA node)';
  const rule = async () => (await rules()).find((one) => one.name === name);
  await expect.poll(async () => (await rule())?.health, { timeout: 60_000 }).toBe('ok');
  const { lastError, lastEvaluation } = (await rule())!;
  expect(lastError ?? '').toBe('');
  expect(Date.now() - Date.parse(lastEvaluation)).toBeLessThan(60_000);

  await page.goto('/alerting/grafana/gotherm-gc-pause-p99/view');
  await expect(page.getByText(name).first()).toBeVisible();
});
