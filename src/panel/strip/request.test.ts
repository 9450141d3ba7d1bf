import { CoreApp, type DataQueryRequest, dateTime } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import type { Side } from './choice';
import { comparable, compareRequest } from './request';

const heat = {
  refId: 'A',
  datasource: { type: 'gotherm-runtime-datasource', uid: 'gotherm' },
  kind: 'heatmap',
  pom: 'sched.latency',
  matchers: [
    { dimension: 'service', values: ['$service'] },
    { dimension: 'version', values: ['$version'] },
    { dimension: 'node', values: ['0'] },
  ],
  groupBy: ['node'],
  live: true,
};

const request: DataQueryRequest = {
  requestId: 'Q7',
  app: CoreApp.Dashboard,
  interval: '1s',
  intervalMs: 1000,
  range: { from: dateTime(60_000), to: dateTime(120_000), raw: { from: 'now-1m', to: 'now' } },
  scopedVars: {},
  startTime: 0,
  targets: [heat],
  timezone: 'utc',
  panelPluginId: 'gotherm-heatmap-panel',
};

const version = (version: string): Side => ({ kind: 'version', service: 'shop', version });

describe('the request for a comparison', () => {
  it('asks for the same heat, of the versions and the service that were chosen', () => {
    const { requestId, panelPluginId, targets } = compareRequest(request, heat, version('v1'), version('v2'));
    expect(requestId).not.toBe(request.requestId);
    expect(panelPluginId).toBe('gotherm-heatmap-panel');
    expect(targets).toEqual([
      {
        ...heat,
        refId: 'compare',
        kind: 'compare',
        live: false,
        matchers: [
          { dimension: 'node', values: ['0'] },
          { dimension: 'service', values: ['shop'] },
        ],
        baseline: { version: 'v1' },
        candidate: { version: 'v2' },
      },
    ]);
  });

  it('keeps all filters where windows are compared, and asks for the range as it is now', () => {
    const window = (from: number, to: number): Side => ({ kind: 'window', from, to });
    const ask = (to: number) =>
      compareRequest(
        { ...request, range: { ...request.range, to: dateTime(to) } },
        heat,
        window(60_000, 80_000),
        window(90_000, Infinity)
      ).targets[0];
    expect(ask(120_000)).toMatchObject({ matchers: heat.matchers, baseline: { from: 60_000, to: 80_000 } });
    expect([ask(120_000), ask(150_000)]).toMatchObject([
      { candidate: { from: 90_000, to: 120_000 } },
      { candidate: { from: 90_000, to: 150_000 } },
    ]);
  });
});

describe('what of a panel can be compared', () => {
  const isOurs = (ref?: { type?: string } | null) => ref?.type === 'gotherm-runtime-datasource';

  it('is its first heat over time that is shown', () => {
    const spectrum = { ...heat, refId: 'B', kind: 'spectrum' };
    const hidden = { ...heat, refId: 'C', hide: true };
    const foreign = { ...heat, refId: 'D', datasource: { type: 'prometheus' } };
    expect(comparable([spectrum, hidden, foreign, heat], isOurs)?.refId).toBe('A');
    expect(comparable([spectrum, hidden, foreign], isOurs)).toBeUndefined();
  });
});
