import { css } from '@emotion/css';
import type { AbsoluteTimeRange, GrafanaTheme2 } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { Button, useStyles2 } from '@grafana/ui';
import { nameOfSide } from './choice';
import type { Choosing } from './useChoosing';
import type { Asked } from './useComparison';

export const choiceLineHeight = 28;

interface Props {
  choosing: Choosing;
  asked?: Asked;
  range: AbsoluteTimeRange;
  timeZone: TimeZone;
}

/** Says what was chosen to be compared, what is still to be chosen, and what became of it. */
export function ChoiceLine({ choosing, asked, range, timeZone }: Props) {
  const styles = useStyles2(getStyles);
  const { baseline, candidate } = choosing.choice;
  if (!baseline) {
    return null;
  }
  const name = nameOfSide(baseline, range, timeZone);
  const text = !candidate
    ? `Baseline: ${name}. Choose the candidate: another version, an annotation, or a window of time by dragging with Shift.`
    : asked?.error
      ? `${name} and ${nameOfSide(candidate, range, timeZone)} could not be compared: ${asked.error}`
      : asked?.isLoading
        ? `Comparing ${nameOfSide(candidate, range, timeZone)} with ${name}…`
        : `There is nothing to compare of ${name} and ${nameOfSide(candidate, range, timeZone)}.`;
  return (
    <div className={styles.line} data-testid="choice">
      <span className={styles.text} role={asked?.error ? 'alert' : 'status'} title={text}>
        {text}
      </span>
      <Button size="sm" variant="secondary" fill="text" onClick={choosing.clear}>
        Cancel
      </Button>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  line: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    height: choiceLineHeight,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  text: css({ overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' }),
});
