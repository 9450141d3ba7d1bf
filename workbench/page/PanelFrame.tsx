// One panel of the dashboard: its frame, its data, what is wrong with them,
// and whatever draws it.
import { Component, PropsWithChildren, useCallback, useMemo } from 'react';
import {
  AbsoluteTimeRange,
  DashboardCursorSync,
  DataFrame,
  EventBus,
  FieldConfigSource,
  getPanelOptionsWithDefaults,
  PanelData,
  PanelPlugin,
  QueryResultMetaNotice,
} from '@grafana/data';
import { IconButton, PanelChrome, PanelContext, PanelContextProvider } from '@grafana/ui';
import { Place } from './dashboard';
import { isOurs, nameOf, templates } from './datasource';
import { Centred } from './NoData';
import { usePanelData, Wanted } from './usePanelData';
import { Visuals } from './visuals';

export interface Props extends Omit<Wanted, 'plugin' | 'fieldConfig' | 'width'> {
  visuals: Visuals;
  place: Place;
  events: EventBus;
  onRange(from: string, to: string): void;
}

export function PanelFrame({ visuals, place, ...rest }: Props) {
  const { panel } = rest;
  const plugin = visuals[panel.type];
  const foreign = (panel.targets ?? []).find((target) => !isOurs(target.datasource ?? panel.datasource));
  const why = !plugin
    ? `The workbench cannot draw a panel of type ${panel.type}: it is shown in Grafana.`
    : foreign
      ? `This panel asks ${nameOf(foreign.datasource ?? panel.datasource)}: it is shown in Grafana.`
      : undefined;
  return (
    <div style={{ position: 'absolute', ...place }}>
      {why ? (
        <PanelChrome title={panel.title} width={place.width} height={place.height}>
          {() => <Centred>{why}</Centred>}
        </PanelChrome>
      ) : (
        <Drawn plugin={plugin} place={place} {...rest} />
      )}
    </div>
  );
}

function Drawn({ plugin, place, events, onRange, ...wanted }: Omit<Props, 'visuals'> & { plugin: PanelPlugin }) {
  const { panel, dashboard } = wanted;
  const { options, fieldConfig } = useMemo(() => defaultsOf(plugin, wanted.panel), [plugin, wanted.panel]);
  const data = usePanelData({
    ...wanted,
    plugin,
    fieldConfig,
    width: Math.max(100, Math.round(place.width / 50) * 50),
  });

  const context = useMemo<PanelContext>(
    () => ({
      eventsScope: '__global_',
      eventBus: events.newScopedBus(`panel-${panel.id}`, { onlyLocal: false }),
      sync: () => dashboard.graphTooltip ?? DashboardCursorSync.Off,
    }),
    [events, panel.id, dashboard.graphTooltip]
  );
  const brush = useCallback(
    ({ from, to }: AbsoluteTimeRange) => onRange(String(Math.round(from)), String(Math.round(to))),
    [onRange]
  );
  const error = data.error && (data.error.message ?? 'unknown error');
  const Panel = plugin.panel!;
  const replace = templates.replace;
  const title = replace(panel.title);
  return (
    <PanelContextProvider value={context}>
      <PanelChrome
        title={title}
        description={panel.description && replace(panel.description)}
        width={place.width}
        height={place.height}
        loadingState={data.state}
        statusMessage={error}
        titleItems={<Notices frames={data.series} />}
        displayMode={panel.transparent ? 'transparent' : 'default'}
        padding={plugin.noPadding ? 'none' : 'md'}
      >
        {(width, height) => (
          <Fence key={panel.id}>
            <Panel
              id={panel.id}
              title={title}
              data={data as PanelData}
              timeRange={data.timeRange}
              timeZone={dashboard.timezone ?? 'browser'}
              options={options}
              fieldConfig={fieldConfig}
              width={width}
              height={height}
              transparent={panel.transparent ?? false}
              renderCounter={data.structureRev ?? 0}
              replaceVariables={replace}
              eventBus={context.eventBus}
              onOptionsChange={ignore}
              onFieldConfigChange={ignore}
              onChangeTimeRange={brush}
            />
          </Fence>
        )}
      </PanelChrome>
    </PanelContextProvider>
  );
}

/** Panels may want to keep what a viewer chose; the workbench writes no dashboards. */
const ignore = () => {};

function defaultsOf(
  plugin: PanelPlugin,
  { options = {}, fieldConfig, pluginVersion, type, title, id }: Wanted['panel']
) {
  const saved: FieldConfigSource = { defaults: {}, overrides: [], ...fieldConfig };
  const migrated = plugin.onPanelMigration?.({ options, fieldConfig: saved, pluginVersion, type, title, id } as never);
  return getPanelOptionsWithDefaults({
    plugin,
    currentOptions: migrated && !(migrated instanceof Promise) ? migrated : options,
    currentFieldConfig: saved,
    isAfterPluginChange: false,
  });
}

/** What the back end says beside its frames. */
function Notices({ frames }: { frames: DataFrame[] }) {
  const notices = new Map<string, QueryResultMetaNotice>();
  frames.flatMap(({ meta }) => meta?.notices ?? []).forEach((notice) => notices.set(notice.text, notice));
  return (
    <>
      {[...notices.values()].map(({ text, severity }) => (
        <IconButton
          key={text}
          name={severity === 'info' ? 'info-circle' : 'exclamation-triangle'}
          variant={severity === 'error' ? 'destructive' : 'secondary'}
          tooltip={text}
          aria-label={text}
        />
      ))}
    </>
  );
}

/** A panel that throws takes down no other. */
class Fence extends Component<PropsWithChildren, { error?: Error }> {
  state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    return error ? <Centred>This panel failed: {error.message}</Centred> : this.props.children;
  }
}
