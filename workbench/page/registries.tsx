// Grafana's registries of options, which its packages leave empty: what of
// them is needed to read a dashboard's JSON. Nothing can be edited here, so an
// option has a process, and an editor that says so.
import {
  booleanOverrideProcessor,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  FieldConfigPropertyItem,
  FieldType,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  TransformerRegistryItem,
  valueMappingsOverrideProcessor,
} from '@grafana/data';

/** Of an option that can be read but not changed. */
export const NotEditable = () => <>Options cannot be changed in the workbench.</>;

// The options builder of PanelPlugin looks its editors up by these names.
const editors = [
  'text', 'number', 'slider', 'boolean', 'radio', 'select', 'multi-select', 'unit', 'links', 'actions', 'stats-picker',
  'strings', 'timezone', 'fieldColor', 'color', 'field-name', 'dashboard-uid', 'mappings', 'thresholds',
]; // prettier-ignore

const isNumber: FieldConfigPropertyItem['shouldApply'] = (field) => field.type === FieldType.number;
const always = () => true;

const fieldOptions: Array<Pick<FieldConfigPropertyItem, 'id' | 'process' | 'shouldApply'>> = [
  { id: 'displayName', process: displayNameOverrideProcessor, shouldApply: always },
  { id: 'unit', process: stringOverrideProcessor, shouldApply: always },
  { id: 'fieldMinMax', process: booleanOverrideProcessor, shouldApply: isNumber },
  { id: 'min', process: numberOverrideProcessor, shouldApply: isNumber },
  { id: 'max', process: numberOverrideProcessor, shouldApply: isNumber },
  { id: 'decimals', process: numberOverrideProcessor, shouldApply: isNumber },
  { id: 'noValue', process: stringOverrideProcessor, shouldApply: always },
  { id: 'links', process: dataLinksOverrideProcessor, shouldApply: always },
  { id: 'color', process: identityOverrideProcessor, shouldApply: always },
  { id: 'mappings', process: valueMappingsOverrideProcessor, shouldApply: always },
  { id: 'thresholds', process: thresholdsOverrideProcessor, shouldApply: always },
  { id: 'filterable', process: booleanOverrideProcessor, shouldApply: always },
];

export function setRegistries() {
  standardEditorsRegistry.setInit(() => editors.map((id) => ({ id, name: id, editor: NotEditable })));
  standardFieldConfigEditorRegistry.setInit(() =>
    fieldOptions.map((option) => ({
      ...option,
      path: option.id,
      name: option.id,
      editor: NotEditable,
      override: NotEditable,
    }))
  );
  standardTransformersRegistry.setInit(() =>
    // Some are listed under an old name too.
    [...new Set(Object.values(standardTransformers))].map(
      (transformation) =>
        ({ id: transformation.id, name: transformation.name, transformation }) as unknown as TransformerRegistryItem
    )
  );
}
