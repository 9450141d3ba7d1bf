import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { heatOn, type Ramp } from '../renderer';
import type { Writer } from './words';

interface Props {
  ramp: Ramp;
  colours: string[];
  /** The count, or value, that the cursor is on. */
  marked?: number;
  write: Writer;
  /** What they show. */
  name: string;
  /** What is coloured. */
  of?: 'cells' | 'points';
}

const scaleNames: Record<Ramp['scale'], string> = {
  linear: 'linear',
  log: 'log',
  symlog: 'symlog',
  rank: 'quantile',
};

/** What the colours mean, and where the count under the cursor lies. */
export function Legend({ ramp, colours, marked, write, name, of = 'cells' }: Props) {
  const styles = useStyles2(getStyles);
  const heat = heatOn(ramp);
  const range = `${write(ramp.min)} to ${write(ramp.max)}`;
  return (
    <div
      className={styles.legend}
      role="img"
      aria-label={`Colors of ${of} from ${range} ${name}, ${scaleNames[ramp.scale]} scale`}
    >
      <span>{write(ramp.min)}</span>
      <div className={styles.bar}>
        <svg className={styles.colours} viewBox={`0 0 ${colours.length} 1`} preserveAspectRatio="none" aria-hidden>
          {colours.map((colour, i) => (
            // Each reaches under the next: else the background shines through between them.
            <rect key={i} x={i} width={Math.min(2, colours.length - i)} height={1} fill={colour} />
          ))}
        </svg>
        {ramp.midpoint !== undefined && marked === undefined && (
          <span className={styles.count} style={{ left: '50%' }}>
            {write(ramp.midpoint)}
          </span>
        )}
        {marked !== undefined && (
          <div className={styles.marker} style={{ left: `${100 * heat(marked)}%` }} data-testid="legend marker">
            <span className={styles.count}>{write(marked)}</span>
          </div>
        )}
      </div>
      <span>{write(ramp.max)}</span>
      {name && (
        <span className={styles.name} title={name}>
          {name}
        </span>
      )}
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  legend: css({
    flex: '1 1000 auto',
    maxWidth: '420px',
    minWidth: 'min(140px, 100%)',
    // For what reaches below the line.
    paddingBottom: '3px',
    display: 'flex',
    alignItems: 'flex-end',
    gap: theme.spacing(1),
    height: '100%',
    lineHeight: '10px',
    fontSize: theme.typography.bodySmall.fontSize,
    color: theme.colors.text.secondary,
    whiteSpace: 'nowrap',
  }),
  bar: css({
    position: 'relative',
    flex: '1 1000 240px',
    maxWidth: '240px',
    minWidth: '40px',
    height: '10px',
  }),
  // Where there is little room the bar gives way first, then what it shows, and never a number.
  name: css({
    minWidth: 0,
    marginLeft: theme.spacing(-0.5),
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    // Room for what reaches below the line.
    lineHeight: '16px',
    marginBottom: '-3px',
  }),
  colours: css({
    display: 'block',
    width: '100%',
    height: '100%',
    borderRadius: theme.shape.radius.default,
  }),
  marker: css({
    position: 'absolute',
    top: '-2px',
    bottom: '-2px',
    width: '2px',
    marginLeft: '-1px',
    background: theme.colors.text.primary,
    boxShadow: `0 0 0 1px ${theme.colors.background.primary}`,
  }),
  count: css({
    position: 'absolute',
    bottom: '15px',
    transform: 'translateX(-50%)',
    whiteSpace: 'nowrap',
    color: theme.colors.text.primary,
  }),
});
