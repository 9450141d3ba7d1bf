// The data of a panel as it comes: asked for when something changes, streamed
// in between, and kept on screen while the next answer is awaited.
import { useEffect, useRef, useState } from 'react';
import {
  compareArrayValues,
  compareDataFrameStructures,
  DataFrame,
  DataSourceApi,
  dateMath,
  FieldConfigSource,
  LoadingState,
  PanelData,
  PanelPlugin,
  TimeRange,
} from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { combineLatest, Observable, startWith, switchMap } from 'rxjs';
import { Dashboard, PanelModel } from './dashboard';
import { ask, shape } from './request';

export interface Wanted {
  dataSource: DataSourceApi;
  dashboard: Dashboard;
  panel: PanelModel;
  plugin: PanelPlugin;
  fieldConfig: FieldConfigSource;
  range: TimeRange;
  width: number;
  live: boolean;
  annotations: Observable<DataFrame[]>;
  /** Changes whenever to ask anew: at a refresh, and when a variable changed. */
  revision: string;
}

export function usePanelData({
  dataSource,
  dashboard,
  panel,
  plugin,
  fieldConfig,
  range,
  width,
  live,
  annotations,
  revision,
}: Wanted): PanelData {
  const theme = useTheme2();
  const [data, setData] = useState<PanelData>({ state: LoadingState.NotStarted, series: [], timeRange: range });
  const shown = useRef(data);
  const marked = useRef<DataFrame[]>([]);
  useEffect(() => {
    const subscription = combineLatest([
      ask(dataSource, { dashboard, panel, range, width, live }).pipe(
        switchMap((data) =>
          shape(panel, data, {
            fieldConfig,
            registry: plugin.fieldConfigRegistry,
            theme,
            timeZone: dashboard.timezone ?? 'browser',
          })
        )
      ),
      // A panel does not wait for them.
      annotations.pipe(startWith(undefined)),
    ]).subscribe(([next, lines = marked.current]) => {
      marked.current = lines;
      // Until the next answer is there, the last one stays, be it data or an error.
      const { series, error, errors, timeRange } =
        next.state === LoadingState.Loading ? shown.current : { ...next, timeRange: moving(next) };
      const same = compareArrayValues(shown.current.series, series, compareDataFrameStructures);
      shown.current = {
        ...next,
        series,
        error,
        errors,
        timeRange,
        annotations: [...(next.annotations ?? []), ...lines],
        structureRev: (shown.current.structureRev ?? 1) + (same ? 0 : 1),
      };
      setData(shown.current);
    });
    return () => subscription.unsubscribe();
    // A range is asked for anew at each revision.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [dataSource, dashboard, panel, plugin, fieldConfig, width, live, annotations, revision, theme]);
  return data;
}

/** The range of data that streams moves on with the clock, as in Grafana. */
function moving({ state, timeRange }: PanelData): TimeRange {
  const { from, to } = timeRange.raw;
  if (state !== LoadingState.Streaming || typeof from !== 'string' || typeof to !== 'string') {
    return timeRange;
  }
  return { ...timeRange, from: dateMath.toDateTime(from, {})!, to: dateMath.toDateTime(to, { roundUp: true })! };
}
