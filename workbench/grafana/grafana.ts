// What tests in a Grafana have at hand beside what Grafana's own tools give
// them: dashboards of their own, answers of the data source, and what the
// browser's console complained about.
import { expect, test as base } from '@grafana/plugin-e2e';
import type { APIRequestContext, Locator, Page } from '@playwright/test';
import { painted } from '../e2e/browser.mjs';

export { expect };
export { nameless, painted } from '../e2e/browser.mjs';

/** The data source that provisioning/datasources makes. */
export const ours = { type: 'gotherm-runtime-datasource', uid: 'gotherm' };
export const heatPanel = 'gotherm-heatmap-panel';

/** A window of time, in milliseconds since 1970. */
export interface Window {
  from: number;
  to: number;
}

/** A panel as a dashboard keeps it. What is not said is usual. */
export interface PanelModel {
  title: string;
  type?: string;
  gridPos?: { x: number; y: number; w: number; h: number };
  datasource?: { type: string; uid: string };
  options?: object;
  fieldConfig?: object;
  targets?: object[];
}

interface Fixtures {
  /** What the console has said so far that nobody should have to read. */
  complaints: string[];
  /** Makes a dashboard that is gone after the test, and gives its uid. */
  makeDashboard: (panels: PanelModel[], more?: object) => Promise<string>;
  /** Asks the data source as an alert rule does, and gives the frames. */
  ask: (query: object, range: Window) => Promise<Frame[]>;
}

interface Frame {
  schema: { name?: string; meta?: { custom?: Record<string, unknown> }; fields: Array<{ name: string }> };
  data: { values: unknown[][] };
}

/** What Grafana's own pages complain of, whatever they show. */
const theirs = [
  // Its feature flags and its news are asked of servers that need not be there.
  /Failed to load resource/,
];

export const test = base.extend<Fixtures>({
  complaints: [
    async ({ page }, give) => {
      const complaints: string[] = [];
      page.on('console', (message) => {
        const text = message.text();
        if (message.type() === 'error' && !theirs.some((known) => known.test(text))) {
          complaints.push(`${text} (${message.location().url})`);
        }
      });
      page.on('pageerror', (error) => complaints.push(`thrown: ${error.stack ?? error}`));
      await give(complaints);
      expect(complaints, 'the console complained').toEqual([]);
    },
    { auto: true },
  ],
  makeDashboard: async ({ request }, give) => {
    const made: string[] = [];
    await give(async (panels, more = {}) => {
      const dashboard = {
        title: `Test ${Date.now()}`,
        schemaVersion: 42,
        panels: panels.map((panel, i) => ({
          id: i + 1,
          type: heatPanel,
          gridPos: { x: 0, y: 12 * i, w: 24, h: 12 },
          datasource: ours,
          fieldConfig: { defaults: {}, overrides: [] },
          options: {},
          ...panel,
        })),
        ...more,
      };
      const answer = await request.post('/api/dashboards/db', { data: { dashboard, overwrite: true } });
      expect(answer.ok(), await answer.text()).toBe(true);
      const { uid } = await answer.json();
      made.push(uid);
      return uid;
    });
    for (const uid of made) {
      await request.delete(`/api/dashboards/uid/${uid}`);
    }
  },
  ask: async ({ request }, give) => {
    await give((query, range) => askFrames(request, query, range));
  },
});

async function askFrames(request: APIRequestContext, query: object, { from, to }: Window): Promise<Frame[]> {
  const answer = await request.post('/api/ds/query', {
    data: {
      from: String(from),
      to: String(to),
      queries: [{ refId: 'A', datasource: ours, intervalMs: 1000, maxDataPoints: 1300, ...query }],
    },
  });
  const { results, message } = await answer.json();
  const { frames, error } = results?.A ?? { error: message };
  expect(error, `asked for ${JSON.stringify(query)}`).toBeUndefined();
  return frames ?? [];
}

/** The last seconds that are complete: heat of them does not change any more. */
export function lately(seconds: number): Window {
  const to = Math.floor(Date.now() / 1000) * 1000 - 8000;
  return { from: to - seconds * 1000, to };
}

/** The same as a dashboard keeps it. */
export const timeOf = ({ from, to }: Window) => ({
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
});

/** A query of the heat that every Go program has. */
export const latency = { refId: 'A', datasource: ours, kind: 'heatmap', pom: 'sched.latency' };

export const searchOf = ({ from, to }: Window, more: Record<string, string> = {}) =>
  new URLSearchParams({ from: String(from), to: String(to), ...more });

/** The panel with a title. */
export const panelOf = (page: Page, title: string) => page.getByTestId(`data-testid Panel header ${title}`);

/** The plots in a panel, or in whatever has one. */
export const plotsIn = (place: Locator | Page) => place.getByRole('application');

/** Waits until heat is painted: more colours than a frame and a line have. */
export async function seeHeat(page: Page, plot: Locator, colours = 4) {
  // While a dashboard is still being laid out, a panel may be made anew.
  await expect(async () => {
    await plot.scrollIntoViewIfNeeded({ timeout: 5000 });
    expect((await painted(page, plot)).colours).toBeGreaterThanOrEqual(colours);
  }).toPass({ timeout: 60_000 });
}

/** Chooses from the menu of a heat panel by keys. */
export async function chooseByKeys(page: Page, panel: Locator, label: string) {
  await panel.getByRole('button', { name: 'Heat menu' }).focus();
  await page.keyboard.press('Enter');
  // A menu that opens takes the focus to its first item.
  await expect(page.getByRole('menuitem').first()).toBeFocused();
  const item = page.getByRole('menuitem', { name: label });
  while (!(await item.evaluate((element) => element === document.activeElement))) {
    await page.keyboard.press('ArrowDown');
  }
  await page.keyboard.press('Enter');
}
