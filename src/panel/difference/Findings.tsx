import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { Icon, useStyles2 } from '@grafana/ui';
import type { Comparison, Report } from './comparison';
import { figuresOf, verdictOf } from './report';

const lineHeight = 18;
/** The most series that are told of before one has to scroll. */
const mostLines = 3;

/** How much room there is to say it: in one line; in full, one thing below the other, or side by side. */
export type Room = 'line' | 'stacked' | 'wide';

interface Props {
  /** One for each series. */
  comparisons: Comparison[];
  timeZone: TimeZone;
  room: Room;
}

/** The height of what comparisons have found. */
export function findingsHeight(comparisons: Comparison[], room: Room): number {
  if (comparisons.length > 1 && !refusalOfAll(comparisons)) {
    return lineHeight * Math.min(mostLines, comparisons.length);
  }
  if (comparisons.length > 1) {
    return lineHeight;
  }
  // Four lines of figures; and some of words with one that says how sure they are.
  return lineHeight * { line: 1, wide: 4, stacked: 7 }[room];
}

/** Why nothing of any series is compared, where that is the same. */
function refusalOfAll([{ report }, ...rest]: Comparison[]): string | undefined {
  return rest.every((other) => other.report.refused === report.refused) ? report.refused : undefined;
}

/** What changed, in words and numbers; or why nothing can be said. Of several series it is a line of words for each. */
export function Findings({ comparisons, timeZone, room }: Props) {
  const styles = useStyles2(getStyles);
  const height = findingsHeight(comparisons, room);
  if (comparisons.length === 1 && room !== 'line') {
    const [{ report }] = comparisons;
    return (
      <div className={room === 'wide' ? styles.wide : undefined} style={{ height }} data-testid="findings">
        <div className={styles.said}>
          <Words report={report} lines={room === 'wide' ? 3 : 2} />
          <div className={styles.verdict}>{verdictOf(report)}</div>
        </div>
        <Numbers report={report} timeZone={timeZone} />
      </div>
    );
  }
  const told = refusalOfAll(comparisons) ? comparisons.slice(0, 1) : comparisons;
  return (
    <div className={styles.lines} style={{ height }} data-testid="findings">
      {told.map(({ name, report }, i) => (
        <Words key={i} report={report} name={told.length > 1 ? name : undefined} lines={1} />
      ))}
    </div>
  );
}

function Words({ report, name, lines }: { report: Report; name?: string; lines: number }) {
  const styles = useStyles2(getStyles);
  const text = report.refused ? `Not compared: ${report.refused}` : report.words;
  return (
    <div
      className={styles.words}
      style={{ maxHeight: lines * lineHeight, WebkitLineClamp: lines }}
      role={report.refused ? 'alert' : 'status'}
      title={text}
    >
      {report.refused && <Icon name="exclamation-triangle" className={styles.warning} />}
      {name && <span className={styles.name}>{name}: </span>}
      {text}
    </div>
  );
}

function Numbers({ report, timeZone }: { report: Report; timeZone: TimeZone }) {
  const styles = useStyles2(getStyles);
  const { columns, lines } = figuresOf(report, timeZone);
  return (
    <table className={styles.figures}>
      <thead>
        <tr>
          <td />
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map(({ name, title, cells }) => (
          <tr key={name} title={title}>
            <th scope="row">{name}</th>
            {cells.map((text, i) => (
              <td key={columns[i]}>{text}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  lines: css({ overflowY: 'auto' }),
  wide: css({ display: 'flex', justifyContent: 'space-between', gap: theme.spacing(2) }),
  said: css({ minWidth: 0, fontSize: theme.typography.bodySmall.fontSize, lineHeight: `${lineHeight}px` }),
  words: css({
    fontSize: theme.typography.bodySmall.fontSize,
    lineHeight: `${lineHeight}px`,
    display: '-webkit-box',
    WebkitBoxOrient: 'vertical',
    overflow: 'hidden',
    fontWeight: theme.typography.fontWeightMedium,
  }),
  name: css({ color: theme.colors.text.secondary }),
  warning: css({ color: theme.colors.warning.text, marginRight: theme.spacing(0.5) }),
  verdict: css({
    color: theme.colors.text.secondary,
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
  }),
  figures: css({
    flex: 'none',
    alignSelf: 'flex-start',
    fontSize: theme.typography.bodySmall.fontSize,
    lineHeight: `${lineHeight}px`,
    fontVariantNumeric: 'tabular-nums',
    whiteSpace: 'nowrap',
    '& th, & td': { padding: theme.spacing(0, 2, 0, 0), height: lineHeight, textAlign: 'right' },
    '& th': { fontWeight: theme.typography.fontWeightRegular, color: theme.colors.text.secondary },
    '& th[scope="row"]': { textAlign: 'left', maxWidth: 260, overflow: 'hidden', textOverflow: 'ellipsis' },
  }),
});
