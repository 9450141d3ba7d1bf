import { FieldType, toDataFrame } from '@grafana/data';
import { expect, it } from 'vitest';
import { readAnnotations } from './annotations';

const frame = (name: string, tags: unknown[]) =>
  toDataFrame({
    name,
    fields: [
      { name: 'time', type: FieldType.time, values: [2000, 1000] },
      { name: 'title', type: FieldType.string, values: ['shop v1.4.3', 'shop v1.4.2'] },
      { name: 'text', type: FieldType.string, values: ['go1.26', ''] },
      { name: 'tags', type: FieldType.other, values: tags },
    ],
  });

it('reads releases in the order of their time, with title, text and tags', () => {
  const releases = readAnnotations([frame('releases', ['release,service:shop', ''])]);
  expect(releases.map(({ time, text, tags }) => ({ time, text, tags }))).toEqual([
    { time: 1000, text: 'shop v1.4.2', tags: [] },
    { time: 2000, text: 'shop v1.4.3: go1.26', tags: ['release', 'service:shop'] },
  ]);
});

it('reads the tags that Grafana has made a list of', () => {
  expect(readAnnotations([frame('releases', [['a', 'b'], []])])[1].tags).toEqual(['a', 'b']);
});

it('leaves exemplars out', () => {
  expect(readAnnotations([frame('exemplar', ['', ''])])).toEqual([]);
});
