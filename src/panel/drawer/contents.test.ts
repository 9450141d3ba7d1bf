import { createDataFrame, FieldType } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import { goroutinesFrame, readContents } from './contents';

const part = (dimension: string, counts: Record<string, number>, others = false) =>
  createDataFrame({
    name: dimension,
    meta: { custom: { dimension, others } },
    fields: [
      { name: 'value', type: FieldType.string, values: Object.keys(counts) },
      { name: 'count', type: FieldType.number, values: Object.values(counts) },
    ],
  });

describe('the contents of a cell', () => {
  it('are a fact where all hits are alike, and a table where they are not', () => {
    const { facts, sections } = readContents([
      part('service', { shop: 9 }),
      part('function', { 'main.work': 6, '': 3 }),
    ]);
    expect(facts).toEqual([{ name: 'Service', dimension: 'service', value: 'shop' }]);
    expect(sections.map(({ title, rows, others }) => [title, rows, others])).toEqual([
      ['Start function', [0, 1], undefined],
    ]);
  });

  it('are no fact where the one row is of those that are not known, or of the others', () => {
    const { facts, sections } = readContents([part('node', { '': 9 }), part('route', { others: 9 }, true)]);
    expect(facts).toEqual([]);
    expect(sections.map(({ others }) => others)).toEqual([undefined, 0]);
  });

  it('say all that the back end notes, of a fact too', () => {
    const frame = part('process', { '42-1': 9 });
    frame.meta = { ...frame.meta, notices: [{ severity: 'info', text: 'agent west does not answer' }] };
    expect(readContents([frame]).sections[0].notices).toEqual(['agent west does not answer']);
  });

  it('have the greatest of requests first', () => {
    const exemplars = createDataFrame({
      name: 'exemplars',
      fields: [
        { name: 'time', type: FieldType.time, values: [1, 2, 3] },
        { name: 'value', type: FieldType.number, values: [0.1, 0.3, 0.2] },
      ],
    });
    expect(readContents([exemplars]).sections[0].rows).toEqual([1, 2, 0]);
  });

  it('are the goroutines that a grid names', () => {
    const frame = goroutinesFrame([
      { goid: '18446744073709551615', function: 'main.work', process: '42-1', count: 3, label: 'user=a' },
      { goid: '7', function: 'main.serve', process: '42-1', count: 1 },
    ]);
    const [{ title, rows }] = readContents([frame]).sections;
    expect([title, rows]).toEqual(['Goroutines', [0, 1]]);
    expect(frame.fields.map(({ values }) => values[0])).toEqual([
      '18446744073709551615',
      'main.work',
      'user=a',
      '42-1',
      3,
    ]);
  });
});
