import { type ReactNode, useMemo } from 'react';
import type { PanelProps } from '@grafana/data';
import { readExemplars } from './exemplars';
import { isHeatFrame } from './frames';
import type { Heat } from './heat';
import { ExemplarMarks, LineLayer, LineLegend, ThresholdLines } from './Layers';
import { linesOver, readLines, valueAt, wordsOf } from './lines';
import { defaultOptions, type Options } from './options';
import { isEvents, pointFrames } from './points/events';
import type { Scale } from './scale';
import type { Arrangement } from './useArrangement';
import { type CellWords, valueWriter } from './words';

/** What is drawn over heat and said beside it: thresholds, lines and exemplars. */
interface Over {
  layersOf: (heat: Heat, scale: Scale) => ReactNode;
  marksOf: (heat: Heat, scale: Scale) => ReactNode;
  legendOf: (heats: Heat[]) => ReactNode;
  /** What lines have at a time. */
  factsAt: (heat: Heat, time: number) => CellWords['facts'];
}

/** Finds in a panel's data and settings what lies over its heat. */
export function useOver(panel: PanelProps<Options>, { across, range, plotWidth }: Arrangement): Over {
  const { data, options, fieldConfig, timeZone } = panel;
  const { yAxis } = options;
  // What is drawn as points is not drawn over them.
  const rest = useMemo(() => {
    const points = pointFrames(data.series, options.draw ?? defaultOptions.draw);
    return data.series.filter((frame) => !points.includes(frame));
  }, [data.series, options.draw]);
  const all = useMemo(
    () => (options.lines.show ? readLines(rest, (frame) => isHeatFrame(frame) || isEvents(frame)) : []),
    [rest, options.lines.show]
  );
  const exemplars = useMemo(
    () => (options.exemplars.show ? readExemplars([...rest, ...(data.annotations ?? [])]) : []),
    [rest, data.annotations, options.exemplars.show]
  );
  return useMemo(() => {
    const linesOf = (heat: Heat) => linesOver(all, heat, yAxis.unit);
    // Values of gauges and cells of a grid have no such axis.
    const hasValues = ({ rowNames, isGrid }: Heat) => !rowNames && !isGrid;
    return {
      layersOf: (heat, scale) =>
        !heat.isGrid && (
          <>
            <LineLayer lines={linesOf(heat)} across={across} scale={scale} />
            {hasValues(heat) && (
              <ThresholdLines
                config={fieldConfig.defaults.thresholds}
                scale={scale}
                width={plotWidth}
                write={valueWriter(heat, yAxis)}
              />
            )}
          </>
        ),
      marksOf: (heat, scale) =>
        hasValues(heat) &&
        heat.xIsTime && (
          <ExemplarMarks
            exemplars={exemplars}
            colour={options.exemplars.color}
            range={range}
            across={across}
            scale={scale}
            write={valueWriter(heat, yAxis)}
            timeZone={timeZone}
          />
        ),
      legendOf: (heats) => {
        // Colours go by the place among all lines of a plot, and are told once.
        const lines = heats.length === 1 ? linesOf(heats[0]) : all;
        return lines.length > 0 && <LineLegend lines={lines} />;
      },
      factsAt: (heat, time) =>
        linesOf(heat).flatMap((line) => {
          const value = line.problem ? undefined : valueAt(line, time);
          const write = line.top === undefined ? valueWriter(heat, yAxis) : (v: number) => wordsOf(line, v);
          return value === undefined ? [] : [{ name: line.name, text: write(value) }];
        }),
    };
  }, [all, exemplars, across, range, plotWidth, fieldConfig, options.exemplars.color, yAxis, timeZone]);
}
