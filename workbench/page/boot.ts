// What Grafana's server writes into its page before any of its code runs.
// @grafana/runtime reads it when it is loaded, so this comes first.

declare global {
  interface Window {
    grafanaBootData?: unknown;
    __grafana_public_path__?: string;
  }
}

const theme = new URLSearchParams(window.location.search).get('theme') === 'light' ? 'light' : 'dark';

window.__grafana_public_path__ = 'public/';
window.grafanaBootData = {
  settings: { appSubUrl: '', buildInfo: { version: '', env: 'production' }, featureToggles: {} },
  user: { theme, timezone: 'browser', locale: 'en-US', language: 'en-US', regionalFormat: 'en-US', permissions: {} },
  navTree: [],
};

export {};
