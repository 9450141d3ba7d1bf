import { createDataFrame, type DataFrame, FieldType } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { withWayBack } from './wayBack';

const dataSource = { uid: 'heat', type: 'gotherm-runtime-datasource' };

const profile = (custom: object, preferredVisualisationType: 'flamegraph' | 'table', notices?: string[]): DataFrame =>
  createDataFrame({
    refId: 'A',
    meta: { custom, preferredVisualisationType, notices: notices?.map((text) => ({ severity: 'info', text })) },
    fields: [
      { name: 'function', type: FieldType.string, values: ['main.work'] },
      { name: 'flat', type: FieldType.number, values: [7] },
    ],
  });
const known = { processes: ['42-1', '43-1'], from: 600_000, to: 690_000 };

/** What Explore is asked at an address, and of when. */
const askedAt = (url = '') => {
  const { queries, range } = JSON.parse(new URL(url, 'http://grafana').searchParams.get('panes')!).cell;
  return { ...queries[0], range };
};

describe('the way back from a profile to heat', () => {
  it('is of the same processes and time, from each function of a table', () => {
    const [table] = withWayBack([profile({ ...known, requests: { count: 9 } }, 'table')], dataSource, false);
    const links = table.fields[0].config.links!;
    expect(links.map(({ url }) => askedAt(url))).toEqual(
      ['sched.latency', 'http.request'].map((pom) => ({
        refId: 'A',
        datasource: dataSource,
        kind: 'heatmap',
        pom,
        matchers: [{ dimension: 'process', values: ['42-1', '43-1'] }],
        range: { from: '600000', to: '690000' },
      }))
    );
    expect(table.fields[1].config.links).toBeUndefined();
  });

  it('leads to requests only where there were some', () => {
    const [table] = withWayBack([profile(known, 'table')], dataSource, false);
    expect(table.fields[0].config.links!.map(({ url }) => askedAt(url).pom)).toEqual(['sched.latency']);
  });

  it('is a notice of a panel with a flame graph, which what is said of the profile itself goes over', () => {
    const [flame, ...others] = withWayBack([profile(known, 'flamegraph', ['the nearest'])], dataSource, false);
    expect(others).toEqual([]);
    const [notice, last] = flame.meta!.notices!;
    expect(askedAt(notice.link).matchers[0].values).toEqual(known.processes);
    expect(last.text).toBe('the nearest');
  });

  it('is a table beside a flame graph in Explore, after it', () => {
    const [flame, whose] = withWayBack([profile(known, 'flamegraph')], dataSource, true);
    expect(flame.meta?.notices).toBeUndefined();
    expect(whose.refId).toBe('A');
    expect(whose.fields.map(({ name, values }) => [name, values[0]])).toEqual([
      ['process', '42-1, 43-1'],
      ['from', 600_000],
      ['to', 690_000],
    ]);
    expect(askedAt(whose.fields[0].config.links![0].url).kind).toBe('heatmap');
  });

  it('is nowhere where it is not known whose profile it is, nor in what is no profile', () => {
    const frames = [profile({ from: 1, to: 2 }, 'flamegraph'), profile({ processes: [], from: 1, to: 2 }, 'table')];
    frames.push(createDataFrame({ fields: [] }));
    expect(withWayBack(frames, dataSource, true)).toEqual(frames);
  });
});
