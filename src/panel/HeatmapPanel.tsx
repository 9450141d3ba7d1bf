import { css } from '@emotion/css';
import { useMemo, useState } from 'react';
import { type AbsoluteTimeRange, DashboardCursorSync, type PanelProps } from '@grafana/data';
import { PanelDataErrorView } from '@grafana/runtime';
import { usePanelContext, useStyles2, useTheme2 } from '@grafana/ui';
import { coloursOf } from '../renderer';
import { readAnnotations } from './annotations';
import { CellTooltip } from './CellTooltip';
import { cellAt } from './heat';
import { Legend } from './Legend';
import type { Options } from './options';
import { rampOf } from './picture';
import { find, type Pointing } from './Plot';
import { Plots } from './Plots';
import { readPanel } from './reading';
import { useArrangement } from './useArrangement';
import { useSyncedTime } from './useSyncedTime';
import { describe, heatWriter, sayCell } from './words';

/** Heat over time, one plot for each series. */
export function HeatmapPanel(props: PanelProps<Options>) {
  const { data, options, width, height, timeZone, fieldConfig, id, eventBus, onChangeTimeRange } = props;
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const { sync, onSelectRange } = usePanelContext();

  const { heats, problem } = useMemo(
    () => readPanel(data.series, options, data.request?.intervalMs ?? 1000),
    [data.series, data.request?.intervalMs, options]
  );
  const annotations = useMemo(() => readAnnotations(data.annotations ?? []), [data.annotations]);
  const ramp = useMemo(() => rampOf(heats, options.color), [heats, options.color]);
  const colours = useMemo(
    () => coloursOf(options.color.scheme, options.color.steps, theme.isDark, options.color.reverse),
    [options.color, theme.isDark]
  );
  const arrangement = useArrangement(heats, props);

  const [pointing, setPointing] = useState<Pointing & { plot: number }>();
  const [isBrushing, setBrushing] = useState(false);
  const isSynced = sync?.() !== DashboardCursorSync.Off;
  const { theirs, publish } = useSyncedTime(eventBus, isSynced);

  if (heats.length === 0) {
    return <PanelDataErrorView panelId={id} fieldConfig={fieldConfig} data={data} message={problem} />;
  }

  const { across, range, scales, axisWidth } = arrangement;
  const isTime = heats[0].xIsTime;
  const plot = pointing && heats[pointing.plot] ? pointing.plot : -1;
  const pointed = pointing && plot >= 0 ? find(pointing, heats[plot], across, scales[plot]) : undefined;
  const words = pointed?.cell && describe(heats[plot], pointed.cell.column, pointed.cell.row, options.yAxis, timeZone);
  const count = pointed?.cell && heats[plot].counts[cellAt(heats[plot], pointed.cell.column, pointed.cell.row)];

  const onPoint = (i: number, at: Pointing | undefined) => {
    setPointing(at && { ...at, plot: i });
    if (isTime) {
      publish(at && find(at, heats[i], across, scales[i]).time);
    }
  };

  const onSelect = (selected: AbsoluteTimeRange) => {
    if (onSelectRange) {
      onSelectRange([{ x: selected }]);
    } else {
      onChangeTimeRange(selected);
    }
  };

  return (
    <div className={styles.panel} style={{ width, height }}>
      <Plots
        heats={heats}
        arrangement={arrangement}
        ramp={ramp}
        colours={colours}
        gap={options.cellGap}
        annotations={annotations}
        timeZone={timeZone}
        pointing={pointing}
        pointed={pointed}
        time={isTime ? (pointed?.time ?? within(theirs, range)) : undefined}
        onPoint={onPoint}
        onBrushing={setBrushing}
        onSelect={onSelect}
      />
      {options.legend.show && (
        <div style={{ marginLeft: axisWidth, height: arrangement.legendHeight }}>
          <Legend ramp={ramp} colours={colours} marked={count} write={heatWriter(heats[0], options.yAxis)} />
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
  panel: css({ position: 'relative', overflow: 'hidden' }),
  spoken: css({
    position: 'absolute',
    width: '1px',
    height: '1px',
    overflow: 'hidden',
    clipPath: 'inset(50%)',
    whiteSpace: 'nowrap',
  }),
});
