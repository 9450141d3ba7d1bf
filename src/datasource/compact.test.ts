import type { DataQueryRequest } from '@grafana/data';
import { expect, it } from 'vitest';
import { compactly } from './compact';
import type { HeatQuery } from './DataSource';

const targets: HeatQuery[] = [{ refId: 'A', kind: 'heatmap', pom: 'gc.stw' }];
const asked = (panelPluginId?: string, queries = targets) => {
  const request: Partial<DataQueryRequest<HeatQuery>> = { targets: queries, panelPluginId };
  return JSON.parse(JSON.stringify(compactly(request as DataQueryRequest<HeatQuery>).targets));
};

it('only our panel is given compact frames', () => {
  expect(asked('gotherm-heatmap-panel')).toEqual([{ ...targets[0], compact: true }]);
  expect(asked('heatmap')).toEqual(targets);
  // Explore says no panel.
  expect(asked()).toEqual(targets);
});

it('a copied query does not bring the wish along', () => {
  expect(asked('heatmap', [{ ...targets[0], compact: true }])).toEqual(targets);
});
