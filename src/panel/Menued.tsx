import { css } from '@emotion/css';
import { type ReactNode, useRef, useState } from 'react';
import type { AbsoluteTimeRange, GrafanaTheme2, PanelProps } from '@grafana/data';
import { useStyles2, useTheme2 } from '@grafana/ui';
import type { Heat } from './heat';
import type { Options } from './options';
import { menuClass, PanelMenu } from './PanelMenu';
import { download, fileName, photograph, unseen } from './photo';
import { TableView } from './TableView';
import { pixelsOf } from './useSurface';

interface Props {
  panel: PanelProps<Options>;
  heats: Heat[];
  children: ReactNode;
}

/** A panel with a menu: to be seen as a table, and to be kept as a picture. */
export function Menued({ panel, heats, children }: Props) {
  const { width, height, title, options, timeRange, timeZone } = panel;
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const content = useRef<HTMLDivElement>(null);
  const [isTable, setTable] = useState(false);
  const [problem, setProblem] = useState<string>();

  const keepPicture = async () => {
    try {
      const background = theme.colors.background.primary;
      const picture = await photograph(content.current!, { title, background, pixelsOf });
      download(content.current!.ownerDocument, picture, fileName(title, new Date(), '.png'));
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };

  return (
    <div className={styles.panel}>
      <div ref={content} className={styles.content} style={{ width, height }} data-testid="heat content">
        {isTable ? (
          <TableView {...{ heats, options, timeZone, width, height }} range={rangeOf(heats, timeRange)} />
        ) : (
          children
        )}
        {problem && (
          <div role="alert" className={styles.problem} {...{ [unseen]: true }}>
            {problem}
          </div>
        )}
      </div>
      <PanelMenu isTable={isTable} onTable={setTable} onPicture={keepPicture} />
    </div>
  );
}

/** What is seen of columns: of time those in the range, and all of bins. Live columns come in after its end. */
function rangeOf(heats: Heat[], { from, to, raw }: PanelProps['timeRange']): AbsoluteTimeRange {
  return heats[0].xIsTime
    ? { from: from.valueOf(), to: raw.to === 'now' ? Infinity : to.valueOf() }
    : { from: -Infinity, to: Infinity };
}

const getStyles = (theme: GrafanaTheme2) => ({
  panel: css({
    position: 'relative',
    [`& .${menuClass}`]: { opacity: 0 },
    [`&:hover .${menuClass}, &:focus-within .${menuClass}, & .${menuClass}[aria-expanded=true]`]: { opacity: 1 },
    // Where nothing hovers it is always there.
    '@media (hover: none)': { [`& .${menuClass}`]: { opacity: 1 } },
  }),
  content: css({ position: 'relative', overflow: 'hidden' }),
  problem: css({ position: 'absolute', left: 0, bottom: 0, color: theme.colors.error.text }),
});
