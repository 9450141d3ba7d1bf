import { describe, expect, it } from 'vitest';
import { isComplete, kinds, misfit, settleOn, statisticMisfit, statisticsOf } from './kinds';
import type { Point, Query } from './query.gen';

const point = (name: string, about: Partial<Point>): Point => ({
  name,
  unit: 'ns',
  tier: 'T2',
  help: '',
  dimensions: ['service', 'process'],
  numbers: [],
  onDemand: false,
  gauge: false,
  goroutines: false,
  exemplars: false,
  ...about,
});
const request = point('http.request', {
  dimensions: ['service', 'process', 'node', 'route', 'depth'],
  numbers: ['node', 'depth'],
  exemplars: true,
});
const latency = point('sched.latency', {
  dimensions: ['service', 'node', 'function'],
  numbers: ['node'],
  goroutines: true,
});
const created = point('goroutine.create', { unit: '1', numbers: ['node'], onDemand: true });
const heap = point('mem.heap.live', { unit: 'By', gauge: true });

describe('a kind of query', () => {
  it.each<[Query['kind'], Point, string | undefined]>([
    ['heatmap', heap, undefined],
    ['series', heap, undefined],
    ['spectrum', request, undefined],
    ['spectrum', heap, 'mem.heap.live has no durations or bytes'],
    ['spectrum', created, 'goroutine.create has no durations or bytes'],
    ['spectrum', point('gc.cycle', {}), 'gc.cycle has no dimension that is a number'],
    ['grid', latency, undefined],
    ['grid', request, 'http.request has no goroutines'],
    ['exemplars', request, undefined],
    ['exemplars', latency, 'sched.latency has no exemplars'],
    ['events', latency, undefined],
    ['events', heap, 'mem.heap.live has no hits, which events are'],
    ['compare', created, undefined],
    ['compare', heap, 'mem.heap.live has no hits, which a comparison is of'],
    ['cell', created, undefined],
    ['cell', heap, 'mem.heap.live has no hits, which cells are of'],
  ])('%s of a point is there, or the field says why not', (kind, of, says) => {
    const found = misfit(kind, of);
    if (says) {
      expect(found).toContain(`Measurement point: ${says}`);
    } else {
      expect(found).toBeUndefined();
    }
  });

  it('is judged by nothing while the catalogue is not known', () => {
    expect(kinds.map(({ value }) => misfit(value, undefined))).toEqual(kinds.map(() => undefined));
  });
});

describe('statistics', () => {
  it('are those of gauges for a gauge, and those of counts for counts', () => {
    expect(statisticsOf(heap).map(({ value }) => value)).toEqual(['mean', 'max', 'min', 'last']);
    expect(statisticsOf(created).map(({ value }) => value)).toEqual(['count', 'rate', 'sum']);
  });

  it('may be any quantile of durations', () => {
    expect(statisticMisfit(['p99.99', 'share'], latency)).toBeUndefined();
  });

  it('that mean nothing are named with the field', () => {
    expect(statisticMisfit(['last', 'p99'], heap)).toBe(
      'Statistics: p99 means nothing for mem.heap.live: choose of mean, max, min, last'
    );
    expect(statisticMisfit(['p99'], created)).toContain('Statistics: p99');
  });
});

describe('another point or kind', () => {
  it('keeps the statistics that it has too, and else has the usual', () => {
    const series: Query = { kind: 'series', pom: 'gc.stw', statistics: ['max'] };
    expect(settleOn(series, heap).statistics).toEqual(['max']);
    expect(settleOn({ ...series, statistics: ['p99'] }, heap).statistics).toEqual(['mean']);
    expect(settleOn({ ...series, statistics: undefined }, created).statistics).toEqual(['rate']);
    expect(settleOn({ ...series, kind: 'heatmap' }, heap).statistics).toBeUndefined();
  });

  it('has rows where it needs them, by the dimension that few points have', () => {
    expect(settleOn<Query>({ kind: 'spectrum', pom: 'http.request' }, request).y).toBe('depth');
    expect(settleOn({ kind: 'spectrum', pom: 'http.request', y: 'node' }, request).y).toBe('node');
    expect(settleOn({ kind: 'spectrum', pom: 'sched.latency', y: 'depth' }, latency).y).toBe('node');
    expect(settleOn({ kind: 'heatmap', pom: 'http.request', y: 'depth' }, request).y).toBeUndefined();
  });

  it('is not grouped by what it has not, nor attached when it is always watched', () => {
    const query: Query = { kind: 'series', pom: 'x', groupBy: ['node', 'route'], attach: true };
    expect(settleOn(query, latency)).toMatchObject({ groupBy: ['node'], attach: undefined });
    expect(settleOn(query, heap).groupBy).toEqual([]);
    expect(settleOn(query, created).attach).toBe(true);
  });

  it('compares the latest version with the one before until something else is chosen', () => {
    const compared = settleOn<Query>({ kind: 'compare', pom: 'http.request' }, request);
    expect(compared).toMatchObject({ baseline: { version: '(previous)' }, candidate: { version: '(latest)' } });
    const chosen: Query = { ...compared, baseline: { version: 'v1' }, per: 'request' };
    expect(settleOn(chosen, latency)).toMatchObject({ baseline: { version: 'v1' }, per: 'request' });
    expect(settleOn({ ...chosen, kind: 'heatmap' }, latency)).toMatchObject({
      baseline: undefined,
      candidate: undefined,
      per: undefined,
    });
  });
});

describe('a query', () => {
  it.each<[Query, boolean]>([
    [{ kind: 'releases' }, true],
    [{ kind: 'heatmap' }, false],
    [{ kind: 'heatmap', pom: 'gc.stw' }, true],
    [{ kind: 'compare' }, false],
    [{ kind: 'compare', baseline: { query: 'A' } }, false],
    [{ kind: 'compare', baseline: { query: 'A' }, candidate: { query: 'B' } }, true],
    [{ kind: 'heatmap', baseline: { query: 'A' }, candidate: { query: 'B' } }, false],
  ])('%o can be asked: %s', (query, complete) => {
    expect(isComplete(query)).toBe(complete);
  });
});

describe('a query about a profile', () => {
  it('is asked once it names a target or a service, and needs no measurement point', () => {
    expect(isComplete({ kind: 'flame' })).toBe(false);
    expect(isComplete({ kind: 'flame', profile: {} })).toBe(false);
    expect(isComplete({ kind: 'flame', profile: { target: 'shop' } })).toBe(true);
    expect(isComplete({ kind: 'top', profile: { service: 'shop' } })).toBe(true);
  });

  it('keeps its profile from kind to kind, and loses it with the last of them', () => {
    const profile = { target: 'shop', type: 'heap' };
    expect(settleOn({ kind: 'top', profile }, undefined).profile).toEqual(profile);
    expect(settleOn<Query>({ kind: 'flame' }, undefined).profile).toEqual({});
    expect(settleOn({ kind: 'stages', profile: { ...profile, seconds: 5 } }, undefined).profile).toEqual({
      target: 'shop',
      seconds: 5,
    });
    expect(settleOn<Query>({ kind: 'heatmap', profile }, undefined).profile).toBeUndefined();
    // Pyroscope keeps no execution traces.
    expect(settleOn({ kind: 'stages', profile: { service: 'shop' } }, undefined).profile).toEqual({});
  });
});
