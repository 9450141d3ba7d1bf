import { css } from '@emotion/css';
import { Fragment, useEffect, useMemo, useState } from 'react';
import type { DataFrame, GrafanaTheme2, PanelProps } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { Alert, Drawer, useStyles2, useTheme2 } from '@grafana/ui';
import type { Report } from '../difference/comparison';
import type { Options } from '../options';
import { describeTimes, writeCount } from '../words';
import { hitsIn, joinSides } from './compared';
import { readContents } from './contents';
import { type Row, withLinks } from './links';
import { SectionTable } from './SectionTable';
import { type Inside, insideOf } from './sides';
import { useContents } from './useContents';
import { useExplore, useWays } from './useExplore';
import type { Opened } from './useOpenCell';

interface Props {
  panel: PanelProps<Options>;
  opened: Opened;
  onClose: () => void;
}

/**
 * What is in a cell: whose hits, of which functions, goroutines and requests,
 * most of them first. Of a difference it is what is there on both sides.
 */
export function CellDrawer({ panel, opened, onClose }: Props) {
  const { fieldConfig, replaceVariables, timeZone } = panel;
  const { cell, compared, insides } = opened;
  const { words } = cell;
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const { frames: answers, error } = useContents(opened);
  const explore = useExplore(opened, answers, replaceVariables);
  const ways = useWays(opened, replaceVariables);

  // Who came by keys goes on from where they were.
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (before instanceof HTMLElement) {
        requestAnimationFrame(() => before.focus({ preventScroll: true }));
      }
    },
    [before]
  );

  // The tooltip of the drawer's own button takes the first Escape for itself.
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        onClose();
      }
    };
    document.addEventListener('keydown', onKeyDown, true);
    return () => document.removeEventListener('keydown', onKeyDown, true);
  }, [onClose]);

  const contents = useMemo(() => {
    if (!answers) {
      return undefined;
    }
    const [baseline, candidate] = answers;
    const frames = candidate ? joinSides({ baseline, candidate }) : baseline;
    const { facts } = readContents(frames);
    const process = facts.find(({ dimension }) => dimension === 'process')?.value ?? cell.labels.process;
    const cellOf = (row: Row) => insideOf(insides, answers, row)?.cell ?? cell;
    const shaped = withLinks(frames, { cellOf, process, fieldConfig, replaceVariables, theme, timeZone });
    return { ...readContents(shaped), process };
  }, [answers, insides, cell, fieldConfig, replaceVariables, theme, timeZone]);
  const isEmpty = contents && contents.facts.length === 0 && contents.sections.every(({ rows }) => rows.length === 0);
  // What is compared has sides, which have names and times of their own.
  const sides = compared ? insides.map((inside, i) => sideFact(inside, compared.report, answers?.[i], timeZone)) : [];

  return (
    <Drawer title={words.series || 'Cell'} subtitle={words.where} onClose={onClose}>
      <dl className={styles.facts}>
        {/* Whom a grid names is listed below. */}
        {[...words.facts.filter(({ name }) => !(cell.goroutines && name === 'Hottest')), ...sides].map(
          ({ name, text }) => (
            <Fragment key={name}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </Fragment>
          )
        )}
        {contents?.facts.map(({ name, dimension, value }) => (
          <Fragment key={dimension}>
            <dt>{name}</dt>
            <dd>
              {value}
              {dimension === 'process' && explore && (
                <>
                  {' '}
                  <a className={styles.link} href={explore({ process: value }).heat}>
                    Explore its heat at this time
                  </a>
                  {', '}
                  <a className={styles.link} href={explore({ process: value }).flame}>
                    its flame graph
                  </a>
                </>
              )}
            </dd>
          </Fragment>
        ))}
      </dl>
      {ways.length > 0 && (
        <ul aria-label="Explore at this time" className={styles.ways}>
          {ways.map(({ title, url }) => (
            <li key={url}>
              <a className={styles.link} href={url}>
                {title}
              </a>
            </li>
          ))}
        </ul>
      )}
      {error && (
        <Alert severity="error" title="What is in the cell could not be asked for">
          {error}
        </Alert>
      )}
      {!contents && !error && <p role="status">Looking into the cell …</p>}
      {isEmpty && !opened.profiled && <p>Nothing is known of this cell any more: agents keep heat for an hour.</p>}
      {!opened.profiled &&
        contents?.sections.map((section) => (
          <section key={section.title} className={styles.section}>
            <h4>{section.title}</h4>
            {section.notices.map((text) => (
              <p key={text} className={styles.notice}>
                {text}
              </p>
            ))}
            {section.rows.length > 0 ? (
              <SectionTable
                section={section}
                defaults={fieldConfig.defaults.links}
                explore={explore}
                process={contents.process}
              />
            ) : (
              <p className={styles.notice}>None</p>
            )}
          </section>
        ))}
    </Drawer>
  );
}

/** What a side of a comparison is, and how many hits are in its cell. */
function sideFact({ side, cell }: Inside, report: Report, answer: DataFrame[] | undefined, timeZone: TimeZone) {
  const { label } = report[side!];
  const hits = answer ? `${writeCount(hitsIn(answer))} hits, ` : '';
  return {
    name: side === 'baseline' ? 'Cell of the baseline' : 'Cell of the candidate',
    text: `${label}: ${hits}${describeTimes(cell.times!, timeZone)}`,
  };
}

const getStyles = (theme: GrafanaTheme2) => ({
  facts: css({
    display: 'grid',
    gridTemplateColumns: 'auto 1fr',
    columnGap: theme.spacing(2),
    margin: theme.spacing(0, 0, 2, 0),
    '& dt': { color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular },
    '& dd': { margin: 0, overflowWrap: 'anywhere', whiteSpace: 'pre-line' },
  }),
  ways: css({ listStyle: 'none', '& li': { marginBottom: theme.spacing(1) } }),
  section: css({ marginBottom: theme.spacing(3) }),
  notice: css({
    margin: theme.spacing(0.5, 0, 0, 0),
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  link: css({ color: theme.colors.text.link, '&:hover': { textDecoration: 'underline' } }),
});
