import { type DataFrame, FieldType, getPanelDataSummary, PanelPlugin, toDataFrame } from '@grafana/data';
import { describe, expect, it } from 'vitest';
import type { Options } from './options';
import { suggest } from './suggestions';

const frameOf = (type?: string, rows = [1]) =>
  toDataFrame({
    meta: { type },
    fields: [
      { name: 'xMax', type: FieldType.time, values: rows },
      { name: 'yMin', type: FieldType.number, values: rows },
      { name: 'yMax', type: FieldType.number, values: rows },
      { name: 'count', type: FieldType.number, values: rows },
    ],
  });

/** What Grafana offers a user who has these frames. */
function offered(frames: DataFrame[]) {
  const plugin = new PanelPlugin<Options>(() => null).setSuggestionsSupplier(suggest);
  plugin.meta = { id: 'gotherm-heatmap-panel', name: 'Heat' } as typeof plugin.meta;
  return plugin.getSuggestions(getPanelDataSummary(frames)) ?? [];
}

describe('a user is offered', () => {
  it('heat, and shares of columns, for cells of a heatmap', () => {
    expect(offered([frameOf('heatmap-cells')]).map(({ name, score }) => [name, score])).toEqual([
      ['Heat', 100],
      ['Heat: share of column', undefined],
    ]);
  });

  it('several series added up, too', () => {
    const [, , last] = offered([frameOf('heatmap-cells'), frameOf('heatmap-cells')]);
    expect(last.options).toMatchObject({ series: 'sum' });
  });

  it.each(['goroutine-grid', 'heatmap-rows'])('heat alone for %s, whose values add up to nothing', (type) => {
    expect(offered([frameOf(type)]).map(({ name }) => name)).toEqual(['Heat']);
  });

  it('nothing for series, nor for a heatmap without cells', () => {
    expect(offered([frameOf('timeseries-multi')])).toEqual([]);
    expect(offered([frameOf('heatmap-cells', [])])).toEqual([]);
  });

  it('a preview without what there is no room for', () => {
    const [card] = offered([frameOf('heatmap-cells')]);
    card.options = { legend: { show: true } } as Partial<Options>;
    card.cardOptions!.previewModifier!(card);
    expect(card.options).toMatchObject({ legend: { show: false }, yAxis: { placement: 'hidden' } });
  });
});
