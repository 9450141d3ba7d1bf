import { css } from '@emotion/css';
import { type DataLink, type Field, formattedValueToString, type GrafanaTheme2, type LinkModel } from '@grafana/data';
import { Icon, useStyles2 } from '@grafana/ui';
import { writeCount } from '../words';
import type { Section } from './contents';
import { linksOf, rowOf } from './links';
import type { Explore } from './useExplore';

interface Props {
  section: Section;
  /** The links that the panel gives every field. */
  defaults?: DataLink[];
  explore?: Explore;
  /** The one process of the cell, where there is but one. */
  process?: string;
}

/** Of the cell; or of the cell on both sides of a comparison. */
const shareNames = ['share', 'baseline', 'candidate'];

/** One table of what is in a cell. Shares are bars. */
export function SectionTable({ section, defaults, explore, process }: Props) {
  const { frame, rows, others, primary, title } = section;
  const styles = useStyles2(getStyles);
  // A field that says nothing of any row is left out.
  const fields = frame.fields.filter(({ values }) => rows.some((row) => values[row] !== '' && values[row] !== null));
  const isPart = primary === 'value';
  const shares = isPart ? fields.filter(({ name }) => shareNames.includes(name)) : [];
  const exploreAt = (row: number) => {
    const { process: own, arm } = rowOf(frame, row, undefined);
    return row !== others && own && own !== process ? explore?.({ process: own, arm }) : undefined;
  };
  return (
    <table className={styles.table} aria-label={title}>
      {(!isPart || shares.length > 1) && (
        <thead>
          <tr>
            {fields.map((field) => (
              <th
                key={field.name}
                scope="col"
                className={field.type === 'number' && !shares.includes(field) ? styles.number : undefined}
              >
                {field.config.displayNameFromDS ?? field.name}
              </th>
            ))}
          </tr>
        </thead>
      )}
      <tbody>
        {rows.map((row) => {
          const urls = exploreAt(row);
          return (
            <tr key={row}>
              {fields.map((field) => {
                const links = row === others ? [] : linksOf(frame, field.name, row, field.name === primary, defaults);
                const isShare = shares.includes(field);
                return (
                  <td
                    key={field.name}
                    className={isShare ? styles.share : field.type === 'number' ? styles.number : undefined}
                  >
                    {isShare && field.values[row] !== null && (
                      <div className={styles.track} aria-hidden>
                        <div className={styles.bar} style={{ width: `${100 * field.values[row]}%` }} />
                      </div>
                    )}
                    <Linked
                      text={textOf(field, row)}
                      links={links}
                      isFaint={row === others || field.values[row] === '' || field.values[row] === null}
                    />
                    {urls && field.name === (isPart ? 'value' : 'process') && (
                      <>
                        <a
                          className={styles.explore}
                          href={urls.heat}
                          title="Explore the heat of this process at this time"
                          aria-label={`Explore the heat of process ${field.values[row]} at this time`}
                        >
                          <Icon name="compass" size="sm" />
                        </a>
                        <a
                          className={styles.explore}
                          href={urls.flame}
                          title="Flame graph of this process at this time"
                          aria-label={`Flame graph of process ${field.values[row]} at this time`}
                        >
                          <Icon name="fire" size="sm" />
                        </a>
                      </>
                    )}
                  </td>
                );
              })}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function textOf(field: Field, row: number): string {
  const value = field.values[row];
  if (value === null || value === '') {
    return field.name === 'value' ? '(not known)' : shareNames.includes(field.name) ? 'in others' : '';
  }
  if (field.name === 'count') {
    return writeCount(value);
  }
  return field.display ? formattedValueToString(field.display(value)) : String(value);
}

/** A text that is the link, where there is but one; else followed by its links. */
export function Linked({ text, links, isFaint }: { text: string; links: LinkModel[]; isFaint?: boolean }) {
  const styles = useStyles2(getStyles);
  const anchor = (link: LinkModel, content: string) => (
    <a
      key={`${link.title} ${link.href}`}
      className={styles.link}
      href={link.href}
      target={link.target}
      rel={link.target === '_blank' ? 'noopener noreferrer' : undefined}
      title={link.title}
      onClick={link.onClick && ((event) => link.onClick?.(event))}
    >
      {content}
    </a>
  );
  if (links.length === 1) {
    return anchor(links[0], text);
  }
  return (
    <>
      <span className={isFaint ? styles.faint : undefined}>{text}</span>
      {links.map((link) => anchor(link, link.title || 'Link'))}
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  table: css({
    width: '100%',
    fontSize: theme.typography.bodySmall.fontSize,
    '& th': { color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular },
    '& th, & td': {
      padding: theme.spacing(0.25, 1, 0.25, 0),
      textAlign: 'left',
      verticalAlign: 'top',
      overflowWrap: 'anywhere',
    },
    '& td:first-of-type': { minWidth: '30%' },
  }),
  number: css({ '&&': { textAlign: 'right', whiteSpace: 'nowrap', fontVariantNumeric: 'tabular-nums' } }),
  // Text as long as 0.00123% stays beside its bar.
  share: css({ '&&': { whiteSpace: 'nowrap', minWidth: '120px' } }),
  track: css({
    display: 'inline-block',
    width: 'calc(100% - 72px)',
    minWidth: '40px',
    height: '10px',
    marginRight: theme.spacing(1),
    background: theme.colors.background.secondary,
    borderRadius: theme.shape.radius.default,
  }),
  bar: css({
    height: '100%',
    minWidth: '1px',
    background: theme.visualization.getColorByName('orange'),
    borderRadius: theme.shape.radius.default,
  }),
  link: css({
    color: theme.colors.text.link,
    marginRight: theme.spacing(1),
    '&:hover': { textDecoration: 'underline' },
  }),
  explore: css({ color: theme.colors.text.link, marginLeft: theme.spacing(1) }),
  faint: css({ color: theme.colors.text.secondary, fontStyle: 'italic' }),
});
