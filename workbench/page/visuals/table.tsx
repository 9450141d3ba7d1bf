// The first frame as a table. Grafana's own table is not drawn with: what it
// needs of other packages does not survive this page's bundling.
import { css } from '@emotion/css';
import {
  DataFrame,
  Field,
  FieldType,
  formattedValueToString,
  getDisplayProcessor,
  getFieldDisplayName,
  GrafanaTheme2,
  identityOverrideProcessor,
  PanelPlugin,
  PanelProps,
} from '@grafana/data';
import { useStyles2, useTheme2 } from '@grafana/ui';
import { PanelDataErrorView } from '../NoData';
import { NotEditable } from '../registries';

interface Options {
  sortBy?: Array<{ displayName: string; desc?: boolean }>;
}

/** The custom field options of Grafana's table that are followed here. */
interface Custom {
  hidden?: boolean;
  width?: number;
}

function TablePanel({ data, width, height, id, title, options, timeZone }: PanelProps<Options>) {
  const theme = useTheme2();
  const styles = useStyles2(look);
  const frame = data.series[0];
  if (!frame || frame.length === 0) {
    return <PanelDataErrorView panelId={id} data={data} />;
  }
  const fields = frame.fields.filter(({ config }) => !(config.custom as Custom | undefined)?.hidden);
  const rows = order(frame, options.sortBy?.[0]);
  return (
    // The keyboard scrolls what can be focused.
    <div className={styles.box} style={{ width, height }} tabIndex={0} role="region" aria-label={`${title}, rows`}>
      <table className={styles.table}>
        <thead>
          <tr>
            {fields.map((field) => (
              <th
                key={field.name}
                className={isNumber(field) ? styles.number : undefined}
                style={{ minWidth: (field.config.custom as Custom | undefined)?.width }}
              >
                {getFieldDisplayName(field, frame)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              {fields.map((field) => (
                <td key={field.name} className={isNumber(field) ? styles.number : undefined}>
                  {write(field, row, (value) =>
                    (field.display ?? getDisplayProcessor({ field, theme, timeZone }))(value)
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const isNumber = ({ type }: Field) => type === FieldType.number;

function write({ values }: Field, row: number, display: (value: unknown) => { text: string }): string {
  const value = values[row];
  return value === null || value === undefined ? '' : formattedValueToString(display(value));
}

function order(frame: DataFrame, by?: { displayName: string; desc?: boolean }): number[] {
  const rows = Array.from({ length: frame.length }, (_, row) => row);
  const field = by && frame.fields.find((one) => getFieldDisplayName(one, frame) === by.displayName);
  if (!field) {
    return rows;
  }
  const least = (row: number) => field.values[row] ?? -Infinity;
  const sign = by.desc ? -1 : 1;
  return rows.sort((a, b) => sign * (least(a) < least(b) ? -1 : least(a) > least(b) ? 1 : 0));
}

const look = (theme: GrafanaTheme2) => ({
  box: css({
    overflow: 'auto',
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: '-2px' },
  }),
  table: css({
    fontSize: theme.typography.bodySmall.fontSize,
    'th, td': {
      padding: theme.spacing(0.5, 1),
      textAlign: 'left',
      whiteSpace: 'nowrap',
      borderBottom: `1px solid ${theme.colors.border.weak}`,
    },
    th: { position: 'sticky', top: 0, background: theme.colors.background.primary, fontWeight: 500 },
  }),
  number: css({ '&&': { textAlign: 'right', fontVariantNumeric: 'tabular-nums' } }),
});

export const table = new PanelPlugin<Options, Custom>(TablePanel).useFieldConfig({
  useCustomConfig: (builder) => {
    for (const path of ['hidden', 'width', 'align', 'cellOptions', 'inspect'] as const) {
      builder.addCustomEditor({
        id: path,
        path: path as never,
        name: path,
        editor: NotEditable,
        override: NotEditable,
        process: identityOverrideProcessor,
        shouldApply: () => true,
      });
    }
  },
});
