import { useMemo } from 'react';
import type { PanelProps } from '@grafana/data';
import type { Annotation } from '../annotations';
import type { TopPlace } from '../HeatView';
import type { Options } from '../options';
import type { Choosing } from './useChoosing';
import { comparableQuery } from './useComparison';
import { laneHeight, VersionStrip } from './VersionStrip';
import { lanesOf, told, versionsOf } from './versions';

/** The most lanes there are: a panel is there to show heat. */
const mostLanes = 4;

/** The strip of versions that ran in a panel's range; undefined where no version is known. */
export function useStrip(annotations: Annotation[], choosing: Choosing | undefined, panel: PanelProps<Options>) {
  const { options, timeRange, timeZone, data } = panel;
  const versions = useMemo(() => versionsOf(annotations), [annotations]);
  const lanes = useMemo(() => {
    const all = lanesOf(versions, { from: timeRange.from.valueOf(), to: timeRange.to.valueOf() });
    // Where there are many services, those of which several versions ran tell more.
    const telling = [...all].sort((a, b) => b.versions.length - a.versions.length).slice(0, mostLanes);
    return all.filter((lane) => telling.includes(lane));
  }, [versions, timeRange]);
  const canCompare = useMemo(() => comparableQuery(data.request) !== undefined, [data.request]);

  const lines = useMemo(() => told(annotations), [annotations]);

  if (!options.versions.show || lanes.length === 0) {
    return undefined;
  }
  return {
    /** The annotations, without those texts that the strip says. */
    annotations: lines,
    height: lanes.length * laneHeight,
    render: ({ range, left, width }: TopPlace) => (
      <VersionStrip
        lanes={lanesOf(versions, range).filter(({ service }) => lanes.some((lane) => lane.service === service))}
        range={range}
        left={left}
        width={width}
        timeZone={timeZone}
        choosing={canCompare ? choosing : undefined}
      />
    ),
  };
}
