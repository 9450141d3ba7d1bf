import { useMemo } from 'react';
import type { PanelProps } from '@grafana/data';
import { PanelDataErrorView } from '@grafana/runtime';
import { useTheme2 } from '@grafana/ui';
import { coloursOf } from '../renderer';
import { readAnnotations } from './annotations';
import { HeatView } from './HeatView';
import type { Options } from './options';
import { rampOf } from './picture';
import { readPanel } from './reading';
import { useStrip } from './strip/useStrip';

/** Heat over time, one plot for each series. */
export function HeatmapPanel(props: PanelProps<Options>) {
  const { data, options, fieldConfig, id } = props;
  const theme = useTheme2();
  const { heats, problem } = useMemo(
    () => readPanel(data.series, options, data.request?.intervalMs ?? 1000),
    [data.series, data.request?.intervalMs, options]
  );
  const annotations = useMemo(() => readAnnotations(data.annotations ?? []), [data.annotations]);
  const ramp = useMemo(() => rampOf(heats, options.color, options.yAxis), [heats, options.color, options.yAxis]);
  const colours = useMemo(
    () => coloursOf(options.color.scheme, options.color.steps, theme.isDark, options.color.reverse),
    [options.color, theme.isDark]
  );
  const strip = useStrip(annotations, undefined, props);

  if (heats.length === 0) {
    return <PanelDataErrorView panelId={id} fieldConfig={fieldConfig} data={data} message={problem} />;
  }
  return (
    <HeatView
      panel={props}
      heats={heats}
      ramp={ramp}
      colours={colours}
      annotations={strip?.annotations ?? annotations}
      top={strip}
    />
  );
}
