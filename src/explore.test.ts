import { describe, expect, it } from 'vitest';
import { exploreUrl, flameOf, heatOf } from './explore';

describe('Explore', () => {
  it('shows the process around a time, a minute at least', () => {
    const dataSource = { uid: 'heat', type: 'gotherm-runtime-datasource' };
    const url = new URL(
      exploreUrl(dataSource, heatOf('sched.latency', ['42-1']), { from: 60_000, to: 61_000 }),
      'http://grafana'
    );
    expect(url.pathname).toBe('/explore');
    const { cell: pane } = JSON.parse(url.searchParams.get('panes')!);
    expect(pane.range).toEqual({ from: '30500', to: '90500' });
    expect(pane.queries).toEqual([
      {
        refId: 'A',
        datasource: dataSource,
        kind: 'heatmap',
        pom: 'sched.latency',
        matchers: [{ dimension: 'process', values: ['42-1'] }],
      },
    ]);
  });

  it('shows the flame graph of the process there', () => {
    const dataSource = { uid: 'heat', type: 'gotherm-runtime-datasource' };
    const url = new URL(exploreUrl(dataSource, flameOf('42-1'), { from: 60_000, to: 61_000 }), 'http://grafana');
    expect(JSON.parse(url.searchParams.get('panes')!).cell.queries).toEqual([
      { refId: 'A', datasource: dataSource, kind: 'flame', profile: { process: '42-1', type: 'cpu' } },
    ]);
  });
});
