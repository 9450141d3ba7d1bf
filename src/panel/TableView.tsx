import { css } from '@emotion/css';
import { useMemo } from 'react';
import type { AbsoluteTimeRange, GrafanaTheme2 } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { useStyles2 } from '@grafana/ui';
import type { Heat } from './heat';
import type { Options } from './options';
import { tableOf } from './table';

interface Props {
  heats: Heat[];
  range: AbsoluteTimeRange;
  options: Options;
  timeZone: TimeZone;
  width: number;
  height: number;
}

/** The same cells in words, for who reads rather than looks. */
export function TableView({ heats, range, options, timeZone, width, height }: Props) {
  const styles = useStyles2(getStyles);
  const { columns, rows, cells } = useMemo(
    () => tableOf(heats, range, options, timeZone),
    [heats, range, options, timeZone]
  );
  const isDifference = heats.some(({ difference }) => difference);
  const [most, order] = isDifference
    ? ['that differ most', 'the greatest differences that are significant first']
    : ['with most hits', 'most hits first'];
  const caption =
    rows.length < cells ? `The ${rows.length} cells ${most}, of ${cells}` : `All ${cells} cells, ${order}`;
  return (
    // It scrolls, so it can be focused: keys scroll it.
    <div className={styles.scroll} style={{ width, height }} tabIndex={0} role="region" aria-label={caption}>
      <table className={styles.table}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {['Series', heats[0].xIsTime ? 'Time' : 'Column', ...columns].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ series, where, facts }, i) => (
            <tr key={i}>
              <td>{series}</td>
              <td>{where}</td>
              {columns.map((name) => (
                <td key={name} className={styles.number}>
                  {facts.find((fact) => fact.name === name)?.text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  scroll: css({
    overflow: 'auto',
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: '-2px' },
  }),
  table: css({
    width: '100%',
    fontSize: theme.typography.bodySmall.fontSize,
    '& caption': { captionSide: 'top', textAlign: 'left', color: theme.colors.text.secondary },
    '& th': {
      position: 'sticky',
      top: 0,
      background: theme.colors.background.primary,
      textAlign: 'left',
      fontWeight: theme.typography.fontWeightMedium,
    },
    '& th, & td': {
      padding: theme.spacing(0.25, 1),
      borderBottom: `1px solid ${theme.colors.border.weak}`,
      whiteSpace: 'nowrap',
    },
  }),
  number: css({ fontVariantNumeric: 'tabular-nums' }),
});
