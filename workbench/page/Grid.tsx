// Where the panels lie: in sections under their rows, which can be closed.
import { css } from '@emotion/css';
import { useEffect, useRef, useState } from 'react';
import { GrafanaTheme2 } from '@grafana/data';
import { Button, useStyles2 } from '@grafana/ui';
import { place, Section, sections } from './dashboard';
import { templates } from './datasource';
import { PanelFrame, Props as FrameProps } from './PanelFrame';

type Props = Omit<FrameProps, 'panel' | 'place'>;

export function Grid(props: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const width = useWidth(ref);
  return (
    <div ref={ref}>
      {width > 0 &&
        sections(props.dashboard).map((section, i) => (
          <Part key={section.row?.id ?? `top-${i}`} {...{ section, width, ...props }} />
        ))}
    </div>
  );
}

function Part({ section: { row, panels }, width, ...props }: Props & { section: Section; width: number }) {
  const styles = useStyles2(look);
  const [open, setOpen] = useState(!row?.collapsed);
  const top = Math.min(...panels.map(({ gridPos }) => gridPos.y));
  const places = panels.map(({ gridPos }) => place(gridPos, top, width));
  const bottom = Math.max(0, ...places.map(({ top, height }) => top + height));
  return (
    <>
      {row && (
        <h2 className={styles.row}>
          <Button
            fill="text"
            variant="secondary"
            icon={open ? 'angle-down' : 'angle-right'}
            aria-expanded={open}
            onClick={() => setOpen(!open)}
          >
            {templates.replace(row.title) || 'Row'}
          </Button>
        </h2>
      )}
      {open && (
        <div className={styles.section} style={{ height: bottom }}>
          {panels.map((panel, i) => (
            <PanelFrame key={panel.id} panel={panel} place={places[i]} {...props} />
          ))}
        </div>
      )}
    </>
  );
}

function useWidth(ref: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

const look = (theme: GrafanaTheme2) => ({
  row: css({ margin: 0 }),
  section: css({ position: 'relative', marginBottom: theme.spacing(1) }),
});
