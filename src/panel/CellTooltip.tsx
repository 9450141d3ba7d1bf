import { css } from '@emotion/css';
import { Fragment } from 'react';
import type { GrafanaTheme2 } from '@grafana/data';
import { Portal, useStyles2, VizTooltipContainer } from '@grafana/ui';
import type { CellWords } from './words';

interface Props {
  words: CellWords;
  /** Where the cursor is, in the browser's window. */
  position: { x: number; y: number };
}

/** What there is to say of the cell under the cursor. */
export function CellTooltip({ words, position }: Props) {
  const styles = useStyles2(getStyles);
  return (
    <Portal>
      <VizTooltipContainer position={position} offset={{ x: 12, y: 12 }} data-testid="heat tooltip">
        {words.series && <div className={styles.series}>{words.series}</div>}
        <div className={styles.where}>{words.where}</div>
        <dl className={styles.facts}>
          {words.facts.map(({ name, text }) => (
            <Fragment key={name}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </Fragment>
          ))}
        </dl>
      </VizTooltipContainer>
    </Portal>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  series: css({ fontWeight: theme.typography.fontWeightMedium, overflowWrap: 'anywhere' }),
  where: css({ color: theme.colors.text.secondary, marginBottom: theme.spacing(0.5), whiteSpace: 'nowrap' }),
  facts: css({
    display: 'grid',
    gridTemplateColumns: 'auto auto',
    columnGap: theme.spacing(2),
    margin: 0,
    '& dt': { color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular },
    '& dd': {
      margin: 0,
      textAlign: 'right',
      fontVariantNumeric: 'tabular-nums',
      overflowWrap: 'anywhere',
      whiteSpace: 'pre-line',
    },
  }),
});
