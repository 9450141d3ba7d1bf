// Asks for the data of a panel, and puts the packets of its answer together.
import {
  applyFieldOverrides,
  CoreApp,
  DataFrame,
  DataQuery,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceApi,
  DataTopic,
  DataTransformContext,
  dateTime,
  FieldConfigSource,
  FieldConfigOptionsRegistry,
  FieldType,
  GrafanaTheme2,
  LoadingState,
  PanelData,
  rangeUtil,
  ScopedVars,
  TimeRange,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { catchError, from, map, Observable, of, scan, startWith } from 'rxjs';
import { AnnotationModel, Dashboard, PanelModel } from './dashboard';
import { isOurs, templates } from './datasource';

let lastRequest = 0;

export interface Asked {
  dashboard: Dashboard;
  panel: PanelModel;
  range: TimeRange;
  /** Pixels, and so at most as many points. */
  width: number;
  /** Whether queries that can stream may do so. */
  live: boolean;
}

/** Asks for a panel's data and follows its streams until it is unsubscribed. */
export function ask(dataSource: DataSourceApi, { dashboard, panel, range, width, live }: Asked): Observable<PanelData> {
  const targets = (panel.targets ?? [])
    .filter((target) => !target.hide && isOurs(target.datasource ?? panel.datasource))
    .map((target) => ({ ...target, datasource: dataSource.getRef(), ...(live ? {} : { live: false }) }));
  const empty: PanelData = { state: LoadingState.Loading, series: [], timeRange: range };
  if (targets.length === 0) {
    return of({ ...empty, state: LoadingState.Done });
  }
  const maxDataPoints = panel.maxDataPoints ?? width;
  const { interval, intervalMs } = rangeUtil.calculateInterval(range, maxDataPoints, panel.interval);
  const scopedVars: ScopedVars = {
    __interval: { text: interval, value: interval },
    __interval_ms: { text: String(intervalMs), value: intervalMs },
  };
  lastRequest += 1;
  const request: DataQueryRequest = {
    requestId: `workbench-${lastRequest}`,
    app: CoreApp.Dashboard,
    dashboardUID: dashboard.uid,
    dashboardTitle: dashboard.title,
    panelId: panel.id,
    panelName: panel.title,
    panelPluginId: panel.type,
    timezone: dashboard.timezone ?? 'browser',
    range,
    rangeRaw: range.raw,
    interval,
    intervalMs,
    maxDataPoints,
    scopedVars,
    targets: targets.filter((target) => dataSource.filterQuery?.(target) ?? true),
    startTime: Date.now(),
  };
  return answers(dataSource, request).pipe(
    scan<DataQueryResponse, Map<string, DataQueryResponse>>(
      (packets, packet) => new Map(packets).set(packet.key ?? packet.data?.[0]?.refId ?? 'A', packet),
      new Map()
    ),
    map((packets) => together([...packets.values()], request)),
    catchError((error: unknown) =>
      of({ ...empty, state: LoadingState.Error, error: { message: messageOf(error) }, request })
    ),
    startWith({ ...empty, request })
  );
}

function answers(dataSource: DataSourceApi, request: DataQueryRequest): Observable<DataQueryResponse> {
  const answer = dataSource.query(request);
  return answer instanceof Observable || 'subscribe' in answer
    ? (answer as Observable<DataQueryResponse>)
    : from(answer);
}

export function messageOf(error: unknown): string {
  const { data, message } = (error ?? {}) as { data?: { message?: string }; message?: string };
  return data?.message ?? message ?? String(error);
}

function together(packets: DataQueryResponse[], request: DataQueryRequest): PanelData {
  const frames = packets.flatMap(({ data }) => data.map((item) => toDataFrame(item)));
  const isAnnotation = ({ meta }: DataFrame) => meta?.dataTopic === DataTopic.Annotations;
  const errors = packets.flatMap(({ errors, error }) => errors ?? (error ? [error] : []));
  const streaming = packets.some(({ state }) => state === LoadingState.Streaming);
  return {
    state: errors.length > 0 ? LoadingState.Error : streaming ? LoadingState.Streaming : LoadingState.Done,
    series: frames.filter((frame) => !isAnnotation(frame)),
    annotations: frames.filter(isAnnotation),
    errors,
    error: errors[0],
    request,
    timeRange: request.range,
  };
}

export interface Shaped {
  fieldConfig: FieldConfigSource;
  registry: FieldConfigOptionsRegistry;
  theme: GrafanaTheme2;
  timeZone: string;
}

/** Runs a panel's transformations, and gives its fields what its field options say. */
export function shape(
  panel: PanelModel,
  data: PanelData,
  { fieldConfig, registry, theme, timeZone }: Shaped
): Observable<PanelData> {
  const context: DataTransformContext = { interpolate: (text) => templates.replace(text) };
  const transformed = panel.transformations?.length
    ? transformDataFrame(
        panel.transformations.filter(({ disabled }) => !disabled),
        data.series,
        context
      )
    : of(data.series);
  return transformed.pipe(
    map((series) => ({
      ...data,
      series: applyFieldOverrides({
        data: series,
        fieldConfig,
        fieldConfigRegistry: registry,
        replaceVariables: (text, scopedVars) => templates.replace(text, scopedVars),
        theme,
        timeZone,
      }),
    })),
    catchError((error: unknown) => of({ ...data, state: LoadingState.Error, error: { message: messageOf(error) } }))
  );
}

/** The annotations of a dashboard, as frames in the form that Grafana gives them. */
export function askAnnotations(
  dataSource: DataSourceApi,
  dashboard: Dashboard,
  range: TimeRange
): Observable<DataFrame[]> {
  const wanted = (dashboard.annotations?.list ?? []).filter(
    (annotation) => annotation.enable !== false && !annotation.builtIn && isOurs(annotation.datasource)
  );
  if (wanted.length === 0) {
    return of([]);
  }
  const targets = wanted.map((annotation, i) => {
    const query = { ...annotation, ...dataSource.annotations?.prepareAnnotation?.(annotation) };
    const target = dataSource.annotations?.prepareQuery?.(query as never) ?? (query.target as DataQuery | undefined);
    return { ...target, refId: `annotation-${i}`, datasource: dataSource.getRef() };
  });
  const { interval, intervalMs } = rangeUtil.calculateInterval(range, 100);
  lastRequest += 1;
  const request: DataQueryRequest = {
    requestId: `workbench-${lastRequest}`,
    app: CoreApp.Dashboard,
    dashboardUID: dashboard.uid,
    timezone: dashboard.timezone ?? 'browser',
    range,
    rangeRaw: range.raw,
    interval,
    intervalMs,
    maxDataPoints: 100,
    scopedVars: {},
    targets,
    startTime: Date.now(),
  };
  return answers(dataSource, request).pipe(
    map(({ data }) =>
      data.map((item) => {
        const frame = toDataFrame(item);
        const annotation = wanted[Number(frame.refId?.split('-')[1] ?? 0)];
        return dressed(frame, annotation);
      })
    ),
    // A dashboard is worth seeing without its annotations; the panels say what is wrong with the source.
    catchError(() => of([]))
  );
}

/** Grafana gives each annotation its query's colour, and makes a list of its tags. */
function dressed(frame: DataFrame, { iconColor = 'orange' }: AnnotationModel): DataFrame {
  return {
    ...frame,
    meta: { ...frame.meta, dataTopic: DataTopic.Annotations },
    fields: [
      ...frame.fields.map((field) =>
        field.name === 'tags'
          ? { ...field, type: FieldType.other, values: field.values.map((tags) => String(tags ?? '').split(',')) }
          : field
      ),
      { name: 'color', type: FieldType.string, config: {}, values: new Array<string>(frame.length).fill(iconColor) },
    ],
  };
}

/** A range in text, such as now-5m to now, as it is at this moment. */
export function rangeNow(raw: { from: string; to: string }): TimeRange {
  return rangeUtil.convertRawToRange({
    from: /^\d+$/.test(raw.from) ? dateTime(Number(raw.from)) : raw.from,
    to: /^\d+$/.test(raw.to) ? dateTime(Number(raw.to)) : raw.to,
  });
}
