import { type DataQueryRequest, dateTime } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import type { OpenedCell } from '../openedCell';
import { cellRequest, type HeatQuery, queryOf } from './request';

const words = { series: '', where: '', facts: [] };
const cell: OpenedCell = {
  refId: 'B',
  series: 'node 0',
  labels: { node: '0', label: '' },
  times: { from: 60_000, to: 70_000 },
  values: { from: 0.001, to: 0.00109 },
  count: 7,
  words,
};
const datasource = { type: 'gotherm-runtime-datasource', uid: 'heat' };
const query: HeatQuery = {
  refId: 'B',
  datasource,
  kind: 'heatmap',
  pom: 'sched.latency',
  matchers: [{ dimension: 'service', values: ['$service'] }],
};
const range = { from: dateTime(0), to: dateTime(300_000), raw: { from: 'now-5m', to: 'now' } };
const request = {
  requestId: 'Q1',
  range,
  targets: [{ refId: 'A' }, query],
  scopedVars: { service: { value: 'shop' } },
} as unknown as DataQueryRequest;

describe('the query whose answer a cell is in', () => {
  it('is that of its series', () => {
    expect(queryOf(cell, request.targets)).toBe(query);
    expect(queryOf({ ...cell, refId: 'A' }, request.targets)).toBeUndefined();
    expect(queryOf({ ...cell, refId: undefined }, request.targets)).toBeUndefined();
  });

  it('is none for gauges, grids and comparisons, whose cells hold no hits of a bucket', () => {
    expect(queryOf({ ...cell, values: undefined, row: '42-1' }, request.targets)).toBeUndefined();
    expect(queryOf(cell, [{ ...query, kind: 'grid' } as HeatQuery])).toBeUndefined();
    expect(queryOf(cell, [{ ...query, kind: 'compare' } as HeatQuery])).toBeUndefined();
  });
});

describe('what is asked for a cell', () => {
  it('is its time, its bucket and its series, with the filters of the panel', () => {
    const asked = cellRequest({ cell, target: query }, request);
    expect(asked.targets).toEqual([
      {
        refId: 'B',
        datasource,
        kind: 'cell',
        pom: 'sched.latency',
        matchers: [
          { dimension: 'service', values: ['$service'] },
          { dimension: 'node', values: ['0'] },
          { dimension: 'label', values: [''] },
        ],
        valueMin: 0.001,
        valueMax: 0.00109,
      },
    ]);
    expect([asked.range.from.valueOf(), asked.range.to.valueOf()]).toEqual([60_000, 70_000]);
    expect(asked.rangeRaw).toBe(asked.range.raw);
    expect(asked.scopedVars).toBe(request.scopedVars);
    expect(asked.requestId).not.toBe(request.requestId);
  });

  it('of a spectrum is its bin and its row, over the whole range', () => {
    const spectrum = { ...query, kind: 'spectrum', y: 'depth', matchers: undefined };
    const opened = {
      ...cell,
      labels: {},
      times: undefined,
      bin: { from: 0, to: Infinity },
      values: { from: 6.5, to: 7.5 },
    };
    expect(queryOf(opened, [spectrum])).toBe(spectrum);
    const asked = cellRequest({ cell: opened, target: spectrum }, request);
    expect(asked.targets[0]).toEqual({
      refId: 'B',
      datasource,
      kind: 'cell',
      pom: 'sched.latency',
      matchers: [{ dimension: 'depth', values: ['7'] }],
    });
    expect(asked.range).toBe(range);
  });
});
