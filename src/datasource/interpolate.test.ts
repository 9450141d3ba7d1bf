import { describe, expect, it } from 'vitest';
import { interpolate } from './interpolate';
import type { Query } from './query.gen';

const variables: Record<string, string[]> = {
  $service: ['shop', 'cart'],
  $point: ['gc.stw'],
  $none: [''],
  $all: ['*'],
};
const values = (text: string) => variables[text] ?? [text.replace('$point', 'gc.stw')];

const query: Query = { kind: 'heatmap', pom: '$point', matchers: [] };

describe('template variables in a query', () => {
  it('stand for all of their values in a matcher', () => {
    const matchers = [{ dimension: 'service', values: ['$service', 'pay'] }];
    expect(interpolate({ ...query, matchers }, values).matchers).toEqual([
      { dimension: 'service', values: ['shop', 'cart', 'pay'] },
    ]);
  });

  it('stand for the measurement point and in the legend', () => {
    expect(interpolate({ ...query, legend: '$point {{node}}' }, values)).toMatchObject({
      pom: 'gc.stw',
      legend: 'gc.stw {{node}}',
    });
  });

  it('that are empty leave no matcher, so everything is kept', () => {
    const matchers = [{ dimension: 'node', values: ['$none'] }];
    expect(interpolate({ ...query, matchers }, values).matchers).toEqual([]);
  });

  it('leave a value that is written as nothing: that of hits without the dimension', () => {
    const matchers = [{ dimension: 'node', values: ['', '$none', '1'] }];
    expect(interpolate({ ...query, matchers }, values).matchers).toEqual([{ dimension: 'node', values: ['', '1'] }]);
  });

  it('that stand for everything leave no matcher, so what began since is kept too', () => {
    const matchers = [
      { dimension: 'process', values: ['$all'] },
      { dimension: 'service', values: ['$service'] },
    ];
    expect(interpolate({ ...query, matchers }, values).matchers).toEqual([
      { dimension: 'service', values: ['shop', 'cart'] },
    ]);
  });

  it('change neither the query that is kept nor what has no variable', () => {
    const kept: Query = { ...query, groupBy: ['node'], statistics: ['p99'], live: true, side: 256 };
    const before = structuredClone(kept);
    expect(interpolate(kept, values)).toEqual({ ...kept, pom: 'gc.stw' });
    expect(kept).toEqual(before);
  });

  it('leave out a matcher that is still being written', () => {
    const matchers = [
      { dimension: '', values: [] },
      { dimension: 'node', values: [] },
    ];
    expect(interpolate({ ...query, matchers }, values).matchers).toEqual([]);
  });

  it('stand in what a profile is of, on both sides', () => {
    const profile = { target: '$service', type: 'cpu', seconds: 5, label: 'point=$point', base: { target: '$point' } };
    expect(interpolate({ kind: 'flame', profile }, values).profile).toEqual({
      target: 'shop',
      type: 'cpu',
      seconds: 5,
      label: 'point=gc.stw',
      base: { target: 'gc.stw' },
    });
  });

  it('stand in the service that Pyroscope keeps profiles of, on both sides', () => {
    const profile = { service: '$service', base: { service: '$point' } };
    expect(interpolate({ kind: 'profile-heat', profile }, values).profile).toEqual({
      service: 'shop',
      base: { service: 'gc.stw' },
    });
  });

  it('name the versions of a comparison', () => {
    const compared: Query = {
      ...query,
      kind: 'compare',
      baseline: { version: '(previous)' },
      candidate: { version: '$point' },
    };
    expect(interpolate(compared, values)).toMatchObject({
      baseline: { version: '(previous)' },
      candidate: { version: 'gc.stw' },
    });
  });
});
