import { describe, expect, it } from 'vitest';
import { armOf, type Choice, choose, nameOfSide, type Side, sideOfAnnotation, sideOfVersion } from './choice';

const version = (version: string, service = 'shop'): Side => ({ kind: 'version', service, version });
const chosen = (...sides: Side[]) => sides.reduce(choose, {} as Choice);
const range = { from: 1_700_000_000_000, to: 1_700_000_600_000 };

describe('choosing what is compared', () => {
  it('takes the first as the baseline and the second as the candidate, whichever is older', () => {
    expect(chosen(version('v2'), version('v1'))).toEqual({ baseline: version('v2'), candidate: version('v1') });
  });

  it('begins anew with a third', () => {
    expect(chosen(version('v1'), version('v2'), version('v3'))).toEqual({ baseline: version('v3') });
  });

  it('gives up a baseline that is chosen twice', () => {
    expect(chosen(version('v1'), version('v1'))).toEqual({});
  });

  it('does not set a version of one service against that of another', () => {
    expect(chosen(version('v1'), version('v2', 'till'))).toEqual({ baseline: version('v2', 'till') });
  });

  it('sets a window against a version', () => {
    const before: Side = { kind: 'window', from: 1, to: 2 };
    expect(chosen(before, version('v1'))).toEqual({ baseline: before, candidate: version('v1') });
  });
});

describe('one side of a comparison', () => {
  const span = { service: 'shop', version: 'v1', from: 1000, to: Infinity };

  it('is a version where an agent saw it, else the time in which it is said to have run', () => {
    expect(sideOfVersion({ ...span, agents: ['east'] })).toEqual(version('v1'));
    expect(sideOfVersion({ ...span, agents: [] })).toEqual({ kind: 'window', from: 1000, to: Infinity, name: 'v1' });
  });

  it('is, of an annotation, its own time or until the next one', () => {
    const at = (time: number, timeEnd?: number) => ({ time, timeEnd, text: `at ${time}`, tags: [] });
    const all = [at(1000), at(2000, 2500), at(9000)];
    expect(all.map((annotation) => sideOfAnnotation(annotation, all))).toEqual([
      { kind: 'window', from: 1000, to: 2000, name: 'at 1000' },
      { kind: 'window', from: 2000, to: 2500, name: 'at 2000' },
      { kind: 'window', from: 9000, to: Infinity, name: 'at 9000' },
    ]);
  });

  it('is called by the version that an annotation says it is of, as in the strip', () => {
    const annotation = { time: 1000, text: 'shop v3: go1.26.8, before: v2', tags: ['release', 'version:v3'] };
    expect(sideOfAnnotation(annotation, [])).toMatchObject({ name: 'v3' });
  });

  it('is asked for as a version, or as a window that ends with the range at the latest', () => {
    const [{ from, to }] = [range];
    expect(armOf(version('v1'), range)).toEqual({ version: 'v1' });
    expect(armOf({ kind: 'window', from: from + 0.4, to: Infinity }, range)).toEqual({ from, to });
    expect(armOf({ kind: 'window', from, to: from + 60_000 }, range)).toEqual({ from, to: from + 60_000 });
  });

  it('is called by its version, its name, or its time', () => {
    const window: Side = { kind: 'window', from: range.from, to: Infinity };
    expect(nameOfSide(version('v1'), range, 'utc')).toBe('v1');
    expect(nameOfSide({ ...window, name: 'cache on' }, range, 'utc')).toBe('cache on');
    expect(nameOfSide(window, range, 'utc')).toBe('2023-11-14 22:13:20 – 22:23:20');
  });
});
