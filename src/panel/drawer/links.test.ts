import {
  createDataFrame,
  createTheme,
  type DataFrame,
  type DataLink,
  dataLinksOverrideProcessor,
  FieldType,
  type FieldConfigSource,
  type ScopedVars,
  standardFieldConfigEditorRegistry,
} from '@grafana/data';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OpenedCell } from '../openedCell';
import { linksOf, withLinks } from './links';

const cell: OpenedCell = {
  refId: 'A',
  series: 'node 0',
  labels: { node: '0' },
  times: { from: 60_000, to: 61_000 },
  values: { from: 0.001, to: 0.00109 },
  count: 9,
  words: { series: '', where: '', facts: [] },
};

/** As much of Grafana's interpolation as these tests have. */
const replaceVariables = (text: string, variables: ScopedVars = {}) =>
  text.replace(/\$\{(\w+)\.(\w+)\}/g, (_, name: string, path: string) => {
    const { field, rowIndex = -1 } = variables.__dataContext?.value ?? {};
    return String(name === '__value' ? field?.values[rowIndex] : variables[name]?.value[path]);
  });

const part = (dimension: string, values: string[]): DataFrame =>
  createDataFrame({
    name: dimension,
    meta: { custom: { dimension } },
    fields: [
      { name: 'value', type: FieldType.string, values },
      { name: 'count', type: FieldType.number, values: values.map(() => 1) },
    ],
  });
const exemplars = createDataFrame({
  name: 'exemplars',
  fields: [
    { name: 'time', type: FieldType.time, values: [60_100, 60_200] },
    { name: 'traceID', type: FieldType.string, values: ['4bf9', ''] },
    { name: 'process', type: FieldType.string, values: ['42-1', '43-1'] },
  ],
});

const shape = (frames: DataFrame[], fieldConfig: FieldConfigSource, process?: string) =>
  withLinks(frames, {
    cellOf: () => cell,
    process,
    fieldConfig,
    replaceVariables,
    theme: createTheme(),
    timeZone: 'utc',
  });

const logs: DataLink = {
  title: 'Logs of ${__value.text}',
  url: '/logs?process=${__cell.process}&from=${__cell.from}&to=${__cell.to}&value=${__value.text}',
};

beforeAll(() => {
  // Grafana fills this when it starts.
  standardFieldConfigEditorRegistry.setInit(() => [
    {
      id: 'links',
      path: 'links',
      name: 'Data links',
      editor: () => null,
      override: () => null,
      process: dataLinksOverrideProcessor,
      shouldApply: () => true,
    },
  ]);
});

describe("a panel's data links in a cell", () => {
  it('know the row, the time of the cell and its process', () => {
    const fieldConfig = { defaults: { links: [logs] }, overrides: [] };
    const [functions, processes] = shape(
      [part('function', ['main.work']), part('process', ['43-1'])],
      fieldConfig,
      '42-1'
    );
    const [link] = linksOf(functions, 'value', 0, true, [logs]);
    expect(link.title).toBe('Logs of main.work');
    expect(link.href).toBe('/logs?process=42-1&from=60000&to=61000&value=main.work');
    expect(linksOf(processes, 'value', 0, true, [logs])[0].href).toContain('process=43-1');
  });

  it('are shown once a row where every field has them', () => {
    const [frame] = shape([part('function', ['main.work'])], { defaults: { links: [logs] }, overrides: [] });
    expect(linksOf(frame, 'count', 0, false, [logs])).toEqual([]);
  });

  it('lead to a trace where the field of its id has one, and a trace is known', () => {
    const trace = { title: 'Trace', url: '/trace/${__cell.traceID}?process=${__cell.process}' };
    const overrides = [
      { matcher: { id: 'byName', options: 'traceID' }, properties: [{ id: 'links', value: [trace] }] },
    ];
    const [frame] = shape([exemplars], { defaults: {}, overrides });
    expect(linksOf(frame, 'traceID', 0, true).map(({ href }) => href)).toEqual(['/trace/4bf9?process=42-1']);
    expect(linksOf(frame, 'traceID', 1, true)).toEqual([]);
    expect(linksOf(frame, 'process', 0, false)).toEqual([]);
  });
});
