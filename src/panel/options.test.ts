import { describe, expect, it } from 'vitest';
import { PanelOptionsEditorBuilder, standardEditorsRegistry } from '@grafana/data';
import { addOptions, defaultOptions, type Options } from './options';

/** Paths of what is no object: those that a panel reads. */
function leaves(value: object, path = ''): string[] {
  return Object.entries(value).flatMap(([name, inner]) =>
    inner !== null && typeof inner === 'object' ? leaves(inner, `${path}${name}.`) : [`${path}${name}`]
  );
}

describe('the options of the panel', () => {
  it('are all offered, with their defaults: a dashboard that leaves one out gets it from there', () => {
    // Grafana has an editor for each kind of option; they are not looked at here.
    standardEditorsRegistry.setInit(() =>
      ['radio', 'select', 'boolean', 'slider', 'number', 'text', 'color', 'unit'].map((id) => ({
        id,
        name: id,
        editor: () => null,
      }))
    );
    const builder = new PanelOptionsEditorBuilder<Options>();
    addOptions(builder);
    const offered = builder.getItems().map(({ path, defaultValue }) => [path, defaultValue] as const);
    const read = (path: string) =>
      path.split('.').reduce<unknown>((inner, name) => (inner as Record<string, unknown>)[name], defaultOptions);
    for (const path of leaves(defaultOptions)) {
      expect(offered).toContainEqual([path, read(path)]);
    }
  });
});
