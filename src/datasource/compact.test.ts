import type { DataQueryRequest } from '@grafana/data';
import { expect, it } from 'vitest';
import { compactly } from './compact';
import type { HeatQuery } from './DataSource';

const targets: HeatQuery[] = [{ refId: 'A', kind: 'heatmap', pom: 'gc.stw' }];
const asked = (panelPluginId?: string) => {
  const request = { targets, panelPluginId } as DataQueryRequest<HeatQuery>;
  return JSON.parse(JSON.stringify(compactly(request).targets));
};

it('only our panel is given compact frames', () => {
  expect(asked('gotherm-heatmap-panel')).toEqual([{ ...targets[0], compact: true }]);
  expect(asked('heatmap')).toEqual(targets);
  // Explore says no panel.
  expect(asked()).toEqual(targets);
});

it('a copied query does not bring the wish along', () => {
  const request = { targets: [{ ...targets[0], compact: true }] } as DataQueryRequest<HeatQuery>;
  expect(JSON.parse(JSON.stringify(compactly(request).targets))).toEqual(targets);
});
