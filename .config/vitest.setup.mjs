// Grafana's formatters ask the browser for its languages. Node has had a navigator since 21.
globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] };
