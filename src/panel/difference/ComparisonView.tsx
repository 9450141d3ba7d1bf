import { css } from '@emotion/css';
import { type ReactNode, useMemo, useState } from 'react';
import type { DataQueryRequest, GrafanaTheme2, PanelProps } from '@grafana/data';
import { Button, RadioButtonGroup, useStyles2 } from '@grafana/ui';
import type { Annotation } from '../annotations';
import { CellDrawer } from '../drawer/CellDrawer';
import { useOpenCell } from '../drawer/useOpenCell';
import { Menued } from '../Menued';
import type { OpenedCell } from '../openedCell';
import type { Options } from '../options';
import { type Arm, tableHeats, timeOf } from './arms';
import { Blend, Difference, Flip, SideBySide } from './bodies';
import type { Comparison } from './comparison';
import { Findings, findingsHeight } from './Findings';
import { type Mode, modes } from './modes';

const barHeight = 30;
/** From here on there is room for words and figures side by side; in narrower panels, one below the other. */
const wide = { width: 760, height: 260 };
const stacked = { width: 420, height: 340 };

interface Props {
  panel: PanelProps<Options>;
  /** One for each series, one or more. */
  comparisons: Comparison[];
  /** What they are the answer to. */
  request?: DataQueryRequest;
  annotations: Annotation[];
  /** Over all else: the strip of versions. */
  top?: { height: number; element: ReactNode };
  /** Leads back to what the panel shows otherwise. */
  onBack?: () => void;
}

/** Both sides of a comparison, what is between them, and what that means. */
export function ComparisonView({ panel, comparisons, request, annotations, top, onBack }: Props) {
  const styles = useStyles2(getStyles);
  const isRefused = comparisons.every(({ difference }) => !difference);
  const [chosen = panel.options.comparison.mode, setChosen] = useState<Mode>();
  // Where there is no difference to show, both sides are seen all the same.
  const mode = isRefused && chosen === 'difference' ? 'side by side' : chosen;
  const fits = (least: { width: number; height: number }) => panel.width >= least.width && panel.height >= least.height;
  const room = fits(wide) ? 'wide' : fits(stacked) ? 'stacked' : 'line';
  const taken = (top?.height ?? 0) + barHeight + findingsHeight(comparisons, room);
  const { opened, open, close } = useOpenCell(request);
  // All series have the same sides.
  const [{ report }] = comparisons;
  const openCell = useMemo(
    () => open && ((cell: OpenedCell, arm?: Arm) => open(cell, { report, arm })),
    [open, report]
  );
  const Body = { difference: Difference, flip: Flip, 'side by side': SideBySide, blend: Blend }[mode];
  const table = useMemo(() => tableHeats(comparisons), [comparisons]);
  const view = (
    <div className={styles.view} style={{ width: panel.width, height: panel.height }} data-testid="comparison">
      {top?.element}
      <div className={styles.bar}>
        <RadioButtonGroup
          size="sm"
          aria-label="Show the comparison as"
          options={modes}
          disabledOptions={isRefused ? ['difference'] : []}
          value={mode}
          onChange={setChosen}
        />
        {onBack && (
          <Button size="sm" variant="secondary" icon="arrow-left" onClick={onBack}>
            Back to heat
          </Button>
        )}
      </div>
      <Findings comparisons={comparisons} timeZone={panel.timeZone} room={room} />
      <Body
        panel={{ ...panel, height: Math.max(100, panel.height - taken) }}
        comparisons={comparisons}
        annotations={annotations}
        onOpenCell={openCell}
      />
    </div>
  );
  return (
    <>
      {table.length > 0 ? (
        <Menued panel={{ ...panel, timeRange: timeOf(table) }} heats={table}>
          {view}
        </Menued>
      ) : (
        view
      )}
      {opened && <CellDrawer panel={panel} opened={opened} onClose={close} />}
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  view: css({ overflowX: 'hidden', overflowY: 'auto' }),
  bar: css({
    display: 'flex',
    alignItems: 'center',
    justifyContent: 'space-between',
    gap: theme.spacing(1),
    height: barHeight,
    // The menu of the panel is there.
    paddingRight: theme.spacing(4),
    overflowX: 'auto',
  }),
});
