import { createDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import type { Annotation } from '../annotations';
import { ofShownServices } from './services';

const release = (service: string): Annotation => ({
  time: 0,
  text: `${service} v1`,
  tags: [],
  about: { service, version: 'v1', agents: ['east'] },
});
const annotations: Annotation[] = [
  release('shop'),
  release('till'),
  { time: 1, text: '', tags: ['version:v2', 'service:shop'] },
  { time: 2, text: 'v3', tags: ['release'] },
  { time: 3, text: 'disk is full', tags: ['alert'] },
];
const frame = (services?: string[]) => createDataFrame({ fields: [], meta: { custom: services && { services } } });
const shown = (...frames: Array<ReturnType<typeof frame>>) =>
  annotations.flatMap((annotation, i) => (ofShownServices(annotations, frames).includes(annotation) ? [i] : []));

describe('the releases that a panel tells of', () => {
  it('are those of the services that all its frames are of, and of none in particular', () => {
    expect(shown(frame(['shop']), frame(['shop']))).toEqual([0, 2, 3, 4]);
    expect(shown(frame(['shop']), frame(['till']))).toEqual([0, 1, 2, 3, 4]);
  });

  it('are none of a program whose service nobody knows', () => {
    expect(shown(frame([]))).toEqual([3, 4]);
  });

  it('are all where a frame does not say what it is of', () => {
    expect(shown(frame(['shop']), frame())).toEqual([0, 1, 2, 3, 4]);
    expect(shown()).toEqual([0, 1, 2, 3, 4]);
  });
});
