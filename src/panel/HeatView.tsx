import { css } from '@emotion/css';
import { type ReactNode, useState } from 'react';
import { type AbsoluteTimeRange, DashboardCursorSync, type PanelProps } from '@grafana/data';
import { usePanelContext, useStyles2 } from '@grafana/ui';
import type { Ramp } from '../renderer';
import type { Annotation } from './annotations';
import { CellTooltip } from './CellTooltip';
import type { Heat } from './heat';
import { leastPlotHeight } from './layout';
import { Legend } from './Legend';
import { type OpenedCell, openedCell } from './openedCell';
import type { Options } from './options';
import { type Cell, find, type Pointing } from './Plot';
import { Plots } from './Plots';
import { nearestTo } from './points/nearest';
import { inkName, useInk } from './points/useInk';
import { describePoint } from './points/words';
import { toPixel } from './scale';
import { densityFacts, measureOf, shownName, shownWriter, valueOn } from './shown';
import type { Choosing } from './strip/useChoosing';
import { useArrangement } from './useArrangement';
import { useOver } from './useOver';
import { useSyncedTime } from './useSyncedTime';
import { describe, sayCell, writerOf } from './words';

interface Props {
  /** Of the panel that it is shown in. Its width and height may be a part of the panel's. */
  panel: PanelProps<Options>;
  /** One or more, all over time or none. */
  heats: Heat[];
  ramp: Ramp;
  /** One for each step of the ramp. */
  colours: string[];
  annotations: Annotation[];
  /** What lies over the plots, on their axis of time. */
  top?: { height: number; render: (place: TopPlace) => ReactNode };
  /** How what is compared is chosen, where something can be. */
  choosing?: Choosing;
  /** Series that the value axis has room for; those that are shown when not set. */
  fit?: Heat[];
  /** Of those cells of a difference that are not significant. */
  mutedColour?: string;
  /** Called with the cell that a user wants to see the inside of, by a click or by Enter; says whether that is shown. */
  onOpenCell?: (cell: OpenedCell) => boolean;
}

/** Where the plots lie: the times from their left to their right, and in pixels where each column of them begins, and how wide it is. */
export interface TopPlace {
  range: AbsoluteTimeRange;
  lefts: number[];
  width: number;
}

/** The least room beside a value axis that a legend fits in, in pixels. */
const leastForLegend = 240;

/** Plots of series, one below the other, with their axes and legend, and what a user points at in them. */
export function HeatView(props: Props) {
  const { panel, heats, ramp, colours, annotations, top, choosing, fit, mutedColour, onOpenCell } = props;
  const { options, width, height, timeZone, eventBus, onChangeTimeRange } = panel;
  const styles = useStyles2(getStyles);
  const { sync, onSelectRange } = usePanelContext();
  // In a panel that is very low it gives way to the plot.
  const hasTop = top !== undefined && heats[0].xIsTime && height - top.height >= leastPlotHeight;
  const topHeight = hasTop ? top.height : 0;
  const arrangement = useArrangement(heats, { ...panel, height: height - topHeight }, fit);

  const [pointing, setPointing] = useState<Pointing & { plot: number }>();
  const [isBrushing, setBrushing] = useState(false);
  const isSynced = sync?.() !== DashboardCursorSync.Off;
  const { theirs, publish } = useSyncedTime(eventBus, isSynced);

  const { across, range, scales, axisWidth } = arrangement;
  const over = useOver(panel, arrangement);
  const isTime = heats[0].xIsTime;
  const plot = pointing && heats[pointing.plot] ? pointing.plot : -1;
  const inks = useInk(heats, options);
  const found = pointing && plot >= 0 ? find(pointing, heats[plot], across, scales[plot]) : undefined;
  const points = found && heats[plot].points;
  const near =
    points &&
    nearestTo(
      points,
      { x: toPixel(across, found.time), y: toPixel(scales[plot], found.value) },
      { across, scale: scales[plot], ...inks.of(plot) }
    );
  const point = near && pointing?.by === 'pointer' && near.point >= 0 ? near.point : undefined;
  const pointed =
    point === undefined || !points
      ? found
      : { ...found!, point: { time: points.times[point], value: points.values[point] } };
  const shown = Math.max(plot, 0);
  const measure = measureOf(heats[shown], options.color.measure);
  const marked = near
    ? near.ink
    : pointed?.cell && valueOn(heats[plot], measure, scales[plot])(pointed.cell.column, pointed.cell.row);
  const words =
    point !== undefined
      ? describePoint(heats[plot], point, options, timeZone)
      : !(near && pointing?.by === 'pointer') && pointed?.cell
        ? describe(heats[plot], pointed.cell.column, pointed.cell.row, options, timeZone)
        : undefined;
  words?.facts.push(...densityFacts(heats[plot], measure, scales[plot], marked ?? NaN, options.yAxis));
  if (words && pointed) {
    words.facts.push(...over.factsAt(heats[plot], pointed.time));
  }

  const onPoint = (i: number, at: Pointing | undefined) => {
    setPointing(at && { ...at, plot: i });
    if (isTime) {
      publish(at && find(at, heats[i], across, scales[i]).time);
    }
  };

  const onSelect = (selected: AbsoluteTimeRange, isWindow: boolean) => {
    if (isWindow && choosing) {
      choosing.choose({ kind: 'window', ...selected });
    } else if (onSelectRange) {
      onSelectRange([{ x: selected }]);
    } else {
      onChangeTimeRange(selected);
    }
  };

  const openCell = (i: number, { column, row }: Cell) =>
    onOpenCell!(openedCell(heats[i], column, row, describe(heats[i], column, row, options, timeZone)));

  return (
    <div className={styles.view} style={{ width, height }}>
      {hasTop && top.render({ range, lefts: arrangement.lefts, width: arrangement.plotWidth })}
      <Plots
        heats={heats}
        arrangement={arrangement}
        measure={options.color.measure}
        ramp={ramp}
        colours={colours}
        mutedColour={mutedColour}
        inkOf={inks.of}
        gap={options.cellGap}
        axisName={options.yAxis.label || undefined}
        columnAxisName={options.xAxis.label || undefined}
        layersOf={over.layersOf}
        marksOf={over.marksOf}
        annotations={annotations}
        choosing={choosing}
        timeZone={timeZone}
        pointing={pointing}
        pointed={pointed}
        time={isTime ? (pointed?.time ?? within(theirs, range)) : undefined}
        onPoint={onPoint}
        onBrushing={setBrushing}
        onSelect={onSelect}
        onOpen={onOpenCell && openCell}
      />
      {arrangement.legendHeight > 0 && (
        <div
          className={styles.legends}
          style={{
            // In a narrow panel it needs the room below the value axis, too.
            marginLeft: arrangement.side === 'left' && width - axisWidth >= leastForLegend ? axisWidth : 0,
            height: arrangement.legendHeight,
          }}
        >
          {heats[shown].points ? (
            <Legend
              ramp={inks.rampOf(shown) ?? ramp}
              colours={colours}
              marked={marked || undefined}
              write={writerOf('short')}
              name={inkName(heats[shown], options)}
              of="points"
            />
          ) : (
            <Legend
              ramp={ramp}
              colours={colours}
              marked={marked}
              write={shownWriter(heats[shown], measure, options.yAxis)}
              name={shownName(measure, scales[shown])}
            />
          )}
          {over.legendOf(heats)}
        </div>
      )}
      {options.tooltip.show && words && pointing && !isBrushing && (
        <CellTooltip words={words} position={pointing.client} />
      )}
      <div className={styles.spoken} aria-live="polite" data-testid="heat readout">
        {pointing?.by === 'keys' && words ? sayCell(words) : ''}
      </div>
    </div>
  );
}

function within(time: number | undefined, { from, to }: AbsoluteTimeRange) {
  return time !== undefined && time >= from && time <= to ? time : undefined;
}

const getStyles = () => ({
  view: css({ position: 'relative', overflow: 'hidden' }),
  legends: css({ display: 'flex', alignItems: 'flex-end', gap: '24px' }),
  spoken: css({
    position: 'absolute',
    width: '1px',
    height: '1px',
    overflow: 'hidden',
    clipPath: 'inset(50%)',
    whiteSpace: 'nowrap',
  }),
});
