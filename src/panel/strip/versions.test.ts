import { describe, expect, it } from 'vitest';
import type { Annotation } from '../annotations';
import { colourNumbers, fitted, lanesOf, roomiest, told, type Version, versionsOf } from './versions';

const seen = (time: number, version: string, lastSeen?: number, service = 'shop'): Annotation => ({
  time,
  text: `${service} ${version}`,
  tags: ['release', `service:${service}`, `version:${version}`],
  about: { service, version, lastSeen, agents: ['east'] },
});

const said = (time: number, tags: string[], text = '', timeEnd?: number): Annotation => ({ time, timeEnd, text, tags });

const spans = (versions: Version[]) => versions.map(({ service, version, from, to }) => [service, version, from, to]);

describe('the versions that annotations tell of', () => {
  it('run from when an agent saw them first until their last process ended', () => {
    expect(spans(versionsOf([seen(1000, 'v1', 5000), seen(4000, 'v2')]))).toEqual([
      ['shop', 'v1', 1000, 5000],
      ['shop', 'v2', 4000, Infinity],
    ]);
  });

  it('run until the next one of their service where somebody only said when they began', () => {
    const versions = versionsOf([
      said(1000, ['version:v1', 'service:shop']),
      said(2000, ['release'], 'till 7'),
      said(3000, ['version:v2', 'service:shop']),
      said(4000, ['version:v3', 'service:shop'], '', 6000),
    ]);
    expect(spans(versions)).toEqual([
      ['shop', 'v1', 1000, 3000],
      ['', 'till 7', 2000, Infinity],
      ['shop', 'v2', 3000, 4000],
      ['shop', 'v3', 4000, 6000],
    ]);
  });

  it('are as they were seen where they were also said', () => {
    const versions = versionsOf([said(900, ['version:v1', 'service:shop']), seen(1000, 'v1', 5000), seen(1000, 'v1')]);
    expect(spans(versions)).toEqual([['shop', 'v1', 1000, 5000]]);
    expect(versions[0].agents).toEqual(['east']);
  });

  it('are told by a strip, other annotations are not', () => {
    const all = told([seen(1000, 'v1'), said(2000, ['version:v2']), said(3000, ['alert'], 'disk is full')]);
    expect(all.map(({ isTold = false }) => isTold)).toEqual([true, true, false]);
  });

  it('are not other annotations, nor data that says something else', () => {
    expect(
      versionsOf([said(0, ['alert']), { ...said(0, []), about: { service: 7, version: 'v1', agents: [] } }])
    ).toEqual([]);
  });
});

describe('the lanes of a version strip', () => {
  const range = { from: 2000, to: 10_000 };
  const lane = (...annotations: Annotation[]) => lanesOf(versionsOf(annotations), range)[0];

  it('are shared in height while two versions run, the older above', () => {
    expect(lane(seen(1000, 'v1', 6000), seen(4000, 'v2')).versions.map(({ pieces }) => pieces)).toEqual([
      [
        { from: 2000, to: 4000, slot: 0, slots: 1 },
        { from: 4000, to: 6000, slot: 0, slots: 2 },
      ],
      [
        { from: 4000, to: 6000, slot: 1, slots: 2 },
        { from: 6000, to: 10_000, slot: 0, slots: 1 },
      ],
    ]);
  });

  it('say of each moment all that ran, once: heights add up to the whole lane', () => {
    const { versions } = lane(seen(1000, 'a'), seen(3000, 'b', 7000), seen(3000, 'c', 4000), seen(5000, 'd', 9000));
    for (let time = 2250; time < 10_000; time += 500) {
      const pieces = versions.flatMap((v) => v.pieces.filter(({ from, to }) => from <= time && time < to));
      expect(pieces.reduce((height, { slots }) => height + 1 / slots, 0)).toBeCloseTo(1);
      expect(new Set(pieces.map(({ slot }) => slot)).size).toBe(pieces.length);
    }
  });

  it('leave out what ended before or began after, and are one for each service', () => {
    const lanes = lanesOf(
      versionsOf([seen(0, 'v0', 2000), seen(10_000, 'v9'), seen(3000, 'v1'), seen(3000, 'v1', undefined, 'till')]),
      range
    );
    expect(lanes.map(({ service, versions }) => [service, versions.length])).toEqual([
      ['shop', 1],
      ['till', 1],
    ]);
  });

  it('have the name where there is most room for it', () => {
    const [first, second] = lane(seen(1000, 'v1', 9000), seen(4000, 'v2', 8000)).versions;
    expect(roomiest(first.pieces)).toMatchObject({ from: 2000, to: 4000 });
    expect(roomiest(second.pieces)).toMatchObject({ from: 4000, to: 8000, slots: 2 });
  });

  it('tell neighbours apart by colour, and give a version the same colour again', () => {
    const all = Array.from({ length: 40 }, (_, i) => seen(2000 + i, `v1.${i}`));
    const numbers = colourNumbers(lane(...all), 7);
    expect(numbers.every((n, i) => n >= 0 && n < 7 && n !== numbers[i - 1])).toBe(true);
    expect(colourNumbers(lane(...all), 7)).toEqual(numbers);
  });
});

describe('a name in a strip', () => {
  const measure = (text: string) => text.length * 10;

  it.each([
    [80, 'v1.4.3-a'],
    [70, 'v1.4.3…'],
    [40, 'v1.…'],
    [30, ''],
  ])('is cut to %i pixels as %j', (width, text) => {
    expect(fitted('v1.4.3-a', width, measure)).toBe(text);
  });
});
