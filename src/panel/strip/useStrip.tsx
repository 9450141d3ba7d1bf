import { useMemo } from 'react';
import type { PanelProps } from '@grafana/data';
import type { Annotation } from '../annotations';
import type { TopPlace } from '../HeatView';
import type { Options } from '../options';
import { ChoiceLine, choiceLineHeight } from './ChoiceLine';
import type { Choosing } from './useChoosing';
import type { Asked } from './useComparison';
import { laneHeight, VersionStrip } from './VersionStrip';
import { lanesOf, told, versionsOf } from './versions';

/** The most lanes there are: a panel is there to show heat. */
const mostLanes = 4;

/**
 * What lies over the plots: a strip of the versions that ran in the panel's
 * range, and a line that says what a user has chosen to compare. Undefined
 * where there is neither. `choosing` is absent where nothing can be compared.
 */
export function useStrip(
  annotations: Annotation[],
  choosing: Choosing | undefined,
  asked: Asked | undefined,
  panel: PanelProps<Options>
) {
  const { options, timeRange, timeZone } = panel;
  const versions = useMemo(() => versionsOf(annotations), [annotations]);
  const services = useMemo(() => {
    const lanes = lanesOf(versions, { from: timeRange.from.valueOf(), to: timeRange.to.valueOf() });
    // Where there are many services, those of which several versions ran tell more.
    const telling = lanes.sort((a, b) => b.versions.length - a.versions.length).slice(0, mostLanes);
    return new Set(telling.map(({ service }) => service));
  }, [versions, timeRange]);
  const withoutTexts = useMemo(() => told(annotations), [annotations]);

  const lanes = options.versions.show ? services.size : 0;
  // What was answered is said by the comparison itself.
  const isAnswered = asked !== undefined && asked.frames.length > 0;
  const hasLine = choosing?.choice.baseline !== undefined && !isAnswered;
  if (lanes === 0 && !hasLine) {
    return undefined;
  }
  return {
    /** The annotations, without those texts that the strip says. */
    annotations: lanes > 0 ? withoutTexts : annotations,
    height: lanes * laneHeight + (hasLine ? choiceLineHeight : 0),
    render: ({ range, lefts, width }: TopPlace) => (
      <>
        {lanes > 0 && (
          <VersionStrip
            lanes={lanesOf(versions, range).filter(({ service }) => services.has(service))}
            range={range}
            lefts={lefts}
            width={width}
            timeZone={timeZone}
            choosing={choosing}
          />
        )}
        {hasLine && <ChoiceLine choosing={choosing} asked={asked} range={range} timeZone={timeZone} />}
      </>
    ),
  };
}
