// Tests in a real Grafana, with this repository's provisioning, a shop that runs
// and an agent that watches it: what "go tool mage demo" makes with
// GOTHERM_GRAFANA_HOME. They leave nothing behind in it.
import { createRequire } from 'node:module';
import path from 'node:path';
import type { PluginOptions } from '@grafana/plugin-e2e';
import { defineConfig } from '@playwright/test';

const url = process.env.GOTHERM_GRAFANA_URL;
if (!url) {
  throw new Error('GOTHERM_GRAFANA_URL is not set: it says where the Grafana is, such as http://127.0.0.1:3000');
}

export default defineConfig<PluginOptions>({
  testDir: '.',
  outputDir: 'out',
  // One shop, one agent and one Grafana, often on one machine.
  workers: 1,
  timeout: 300_000,
  expect: { timeout: 30_000 },
  reporter: 'list',
  use: {
    baseURL: url,
    viewport: { width: 1400, height: 1000 },
    timezoneId: 'UTC',
    screenshot: 'only-on-failure',
    provisioningRootDir: path.resolve(import.meta.dirname, '../../provisioning'),
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
    },
  },
  projects: [
    {
      name: 'log in',
      testDir: path.join(path.dirname(createRequire(import.meta.url).resolve('@grafana/plugin-e2e')), 'auth'),
      testMatch: /.*\.js/,
    },
    {
      name: 'grafana',
      testMatch: /.*\.spec\.ts/,
      use: { storageState: 'playwright/.auth/admin.json' },
      dependencies: ['log in'],
    },
  ],
});
