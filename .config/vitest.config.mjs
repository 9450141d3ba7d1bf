import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['.config/vitest.setup.mjs'],
    // Grafana's ES modules import names from CommonJS ones, which Node refuses and bundlers do not.
    server: { deps: { inline: [/@grafana\//] } },
    // Loading them is what takes time: once is enough.
    isolate: false,
    maxWorkers: 1,
  },
});
