// The page: a bar to choose what to see, the state of what is watched, and the
// panels of the chosen dashboard.
import { css } from '@emotion/css';
import { useCallback, useEffect, useMemo, useState } from 'react';
import {
  createTheme,
  DataSourceApi,
  dateMath,
  dateTime,
  EventBusSrv,
  GrafanaTheme2,
  rangeUtil,
  ThemeContext,
  TimeRange,
} from '@grafana/data';
import {
  Alert,
  Combobox,
  InlineSwitch,
  PortalContainer,
  RefreshPicker,
  TimeRangePicker,
  ToolbarButton,
  useStyles2,
} from '@grafana/ui';
import { shareReplay } from 'rxjs';
import { Address, useAddress } from './address';
import { Dashboard, DashboardFile } from './dashboard';
import { templates } from './datasource';
import { Grid } from './Grid';
import { Look } from './Look';
import { Centred } from './NoData';
import { askAnnotations, rangeNow } from './request';
import { Status } from './Status';
import { chosen, expanded, useChoices, Variables } from './Variables';
import { Visuals } from './visuals';

export interface Props {
  dataSource: DataSourceApi;
  visuals: Visuals;
  files: DashboardFile[];
}

export function App({ files, ...rest }: Props) {
  const [address, change] = useAddress();
  const theme = useMemo(() => createTheme({ colors: { mode: address.theme } }), [address.theme]);
  const dashboards = files.flatMap(({ dashboard }) => dashboard ?? []);
  const dashboard = dashboards.find(({ uid }) => uid === address.dashboard) ?? overview(dashboards);
  return (
    <ThemeContext.Provider value={theme}>
      <Look />
      {dashboard ? (
        <Show key={dashboard.uid} {...{ dashboard, dashboards, files, address, change, ...rest }} />
      ) : (
        <Centred>There is no dashboard to show: the directory that -dashboards names has none.</Centred>
      )}
      <PortalContainer />
    </ThemeContext.Provider>
  );
}

/** The dashboard that a user opens first. */
function overview(dashboards: Dashboard[]) {
  return dashboards.find(({ uid }) => uid === 'gotherm-go-heat') ?? dashboards[0];
}

/** Of a refresh that is not to be. */
const off = 'off';

interface ShowProps extends Props {
  dashboard: Dashboard;
  dashboards: Dashboard[];
  address: Address;
  change(part: Partial<Address>): void;
}

function Show({ dashboard, dashboards, files, address, change, dataSource, visuals }: ShowProps) {
  const styles = useStyles2(look);
  const [events] = useState(() => new EventBusSrv());
  const interval = address.refresh ?? (dashboard.refresh || off);
  const [refreshes, setRefreshes] = useState(0);
  const raw = useMemo(
    () => ({ from: address.from ?? dashboard.time?.from ?? 'now-5m', to: address.to ?? dashboard.time?.to ?? 'now' }),
    [address.from, address.to, dashboard.time]
  );
  // The range as of the last refresh.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const range = useMemo(() => rangeNow(raw), [raw, refreshes]);
  const refresh = useCallback(() => setRefreshes((n) => n + 1), []);
  useRefresh(address.live && interval !== off ? interval : '', refresh);

  const variables = useMemo(() => dashboard.templating?.list ?? [], [dashboard]);
  const values = useMemo(() => chosen(variables, address.variables), [variables, address.variables]);
  const choices = useChoices(dataSource, variables, range, `${refreshes} ${JSON.stringify(raw)}`);
  const templateValues = useMemo(() => expanded(variables, values, choices ?? {}), [variables, values, choices]);
  // Before any panel asks: children's effects run after this render.
  templates.set(variables, templateValues);
  templates.updateTimeRange(range);
  const revision = `${refreshes} ${JSON.stringify([raw, templateValues])}`;

  const annotations = useMemo(
    () => askAnnotations(dataSource, dashboard, range).pipe(shareReplay(1)),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [dataSource, dashboard, revision]
  );
  const setRange = useCallback((from: string, to: string) => change({ from, to }), [change]);
  useEffect(() => {
    document.title = `${dashboard.title} - gotherm workbench`;
  }, [dashboard.title]);

  return (
    <div className={styles.page}>
      <header className={styles.bar}>
        <h1 className={styles.title}>
          <img src="public/plugins/gotherm-runtime-app/img/logo.svg" alt="" width={20} height={20} />
          gotherm
        </h1>
        <label htmlFor="dashboard" className={styles.unseen}>
          Dashboard
        </label>
        <Combobox
          id="dashboard"
          prefixIcon="apps"
          width="auto"
          minWidth={20}
          options={dashboards.map(({ uid, title, description }) => ({ label: title, value: uid, description }))}
          value={dashboard.uid}
          onChange={({ value }) => change({ dashboard: value, variables: {} })}
        />
        <span className={styles.space} />
        <InlineSwitch
          id="live"
          label="Live"
          showLabel
          value={address.live}
          onChange={(event) => change({ live: event.currentTarget.checked })}
        />
        <Times range={range} onRange={setRange} />
        <RefreshPicker
          value={interval === off ? '' : interval}
          intervals={['1s', '5s', '10s', '30s', '1m']}
          onIntervalChanged={(chosen) => change({ refresh: chosen || off })}
          onRefresh={refresh}
          tooltip="Refresh dashboard"
        />
        <ToolbarButton
          icon="adjust-circle"
          tooltip={address.theme === 'dark' ? 'Light theme' : 'Dark theme'}
          onClick={() => change({ theme: address.theme === 'dark' ? 'light' : 'dark' })}
        />
      </header>
      <div className={styles.variables}>
        <Variables
          {...{ variables, values, choices: choices ?? {} }}
          onChange={(name, value) => change({ variables: { ...address.variables, [name]: value } })}
        />
        <span className={styles.space} />
        <Status />
      </div>
      {files.map(
        ({ file, error }) =>
          error && (
            <Alert key={file} severity="warning" title={`${file} cannot be shown`}>
              {error}
            </Alert>
          )
      )}
      <main>
        {choices ? (
          <Grid
            {...{
              dashboard,
              dataSource,
              visuals,
              range,
              annotations,
              events,
              revision,
              live: address.live,
              onRange: setRange,
            }}
          />
        ) : (
          <Centred>Asking what there is to choose from…</Centred>
        )}
      </main>
    </div>
  );
}

function useRefresh(interval: string, refresh: () => void) {
  useEffect(() => {
    if (!interval) {
      return undefined;
    }
    const timer = window.setInterval(() => {
      // Nobody looks: nothing is asked.
      if (!document.hidden) {
        refresh();
      }
    }, rangeUtil.intervalToMs(interval));
    return () => window.clearInterval(timer);
  }, [interval, refresh]);
}

function Times({ range, onRange }: { range: TimeRange; onRange(from: string, to: string): void }) {
  const absolute = (from: number, to: number) => onRange(String(Math.round(from)), String(Math.round(to)));
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const span = to - from;
  return (
    <TimeRangePicker
      value={range}
      timeZone="browser"
      onChange={({ raw }) => onRange(asText(raw.from), asText(raw.to))}
      onChangeTimeZone={() => {}}
      onMoveBackward={() => absolute(from - span / 2, to - span / 2)}
      onMoveForward={() => absolute(from + span / 2, to + span / 2)}
      onZoom={() => absolute(from - span / 2, to + span / 2)}
    />
  );
}

const asText = (at: TimeRange['raw']['from']) =>
  typeof at === 'string' && dateMath.isMathString(at) ? at : String(dateTime(at).valueOf());

const look = (theme: GrafanaTheme2) => ({
  page: css({ minHeight: '100vh', padding: theme.spacing(1, 2, 4) }),
  bar: css({
    position: 'sticky',
    top: 0,
    zIndex: theme.zIndex.navbarFixed,
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: theme.spacing(1),
    padding: theme.spacing(1, 0),
    background: theme.colors.background.canvas,
  }),
  title: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    margin: theme.spacing(0, 1, 0, 0),
    fontSize: theme.typography.h5.fontSize,
  }),
  variables: css({
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: theme.spacing(1),
    paddingBottom: theme.spacing(1),
  }),
  space: css({ flexGrow: 1 }),
  unseen: css({ position: 'absolute', clipPath: 'inset(50%)' }),
});
