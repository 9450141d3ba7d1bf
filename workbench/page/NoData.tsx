// What a panel shows when it has nothing to draw; Grafana's own is not public.
import { css } from '@emotion/css';
import { PropsWithChildren } from 'react';
import { GrafanaTheme2, LoadingState } from '@grafana/data';
import type { PanelDataErrorViewProps } from '@grafana/runtime';
import { useStyles2 } from '@grafana/ui';

export function PanelDataErrorView({ message, data }: PanelDataErrorViewProps) {
  if (message) {
    return <Centred>{message}</Centred>;
  }
  if (data.error) {
    return <Centred>{data.error.message ?? 'The query failed'}</Centred>;
  }
  if (data.series.some(({ length }) => length > 0)) {
    return <Centred>No data that this panel can draw</Centred>;
  }
  if (data.timeRange.raw.to === 'now') {
    return <Centred>No data yet: waiting for the first hits</Centred>;
  }
  return <Centred>{data.state === LoadingState.Loading ? 'Waiting for data…' : 'No data'}</Centred>;
}

/** Text in the middle of where a picture would be. */
export function Centred({ children }: PropsWithChildren) {
  return <div className={useStyles2(look)}>{children}</div>;
}

const look = (theme: GrafanaTheme2) =>
  css({
    display: 'grid',
    placeItems: 'center',
    height: '100%',
    padding: theme.spacing(1),
    textAlign: 'center',
    color: theme.colors.text.secondary,
  });
