import { useMemo } from 'react';
import type { PanelProps } from '@grafana/data';
import { PanelDataErrorView } from '@grafana/runtime';
import { useTheme2 } from '@grafana/ui';
import { coloursOf } from '../renderer';
import { OpenButton } from '../replay/files';
import { readAnnotations } from './annotations';
import { named } from './difference/arms';
import { ComparisonView } from './difference/ComparisonView';
import { CellDrawer } from './drawer/CellDrawer';
import { useOpenCell } from './drawer/useOpenCell';
import { HeatView } from './HeatView';
import { Menued } from './Menued';
import type { Options } from './options';
import { readCompared, readPanel } from './reading';
import { ofShownServices } from './strip/services';
import { useChoosing } from './strip/useChoosing';
import { useComparison } from './strip/useComparison';
import { useStrip } from './strip/useStrip';
import { useRamp } from './useRamp';

/** A strip over all of the panel. */
const noMargin = [0];

/** Heat over time, one plot for each series; or what two sides of a comparison have between them. */
export function HeatmapPanel(props: PanelProps<Options>) {
  const { data, options, fieldConfig, id, timeRange, timeZone, width } = props;
  const theme = useTheme2();
  const columnWidth = data.request?.intervalMs ?? 1000;
  const annotations = useMemo(
    () => ofShownServices(readAnnotations(data.annotations ?? []), data.series),
    [data.annotations, data.series]
  );
  const choosing = useChoosing(data.request, props.replaceVariables);
  const asked = useComparison(choosing?.choice, data.request);
  const strip = useStrip(annotations, choosing, asked, props);

  const choice = choosing?.choice;
  const compared = useMemo(() => {
    if (!choice || !asked || asked.frames.length === 0) {
      return readCompared(data.series, columnWidth);
    }
    const { comparisons, problem } = readCompared(asked.frames, columnWidth);
    return { comparisons: named(comparisons, choice, timeZone), problem };
  }, [asked, choice, data.series, columnWidth, timeZone]);
  const isCompared = compared.comparisons.length > 0 || compared.problem !== undefined;
  const { heats, problem } = useMemo(
    () => (isCompared ? { heats: [], problem: compared.problem } : readPanel(data.series, options, columnWidth)),
    [isCompared, compared.problem, data.series, options, columnWidth]
  );
  const ramp = useRamp(heats, options.color, options.yAxis);
  const { scheme, reverse } = options.color;
  const steps = ramp?.steps ?? options.color.steps;
  const colours = useMemo(
    () => coloursOf(scheme, steps, theme.isDark, reverse),
    [scheme, steps, theme.isDark, reverse]
  );
  const { opened, open, close } = useOpenCell(data.request);

  if (compared.comparisons.length > 0) {
    const range = { from: timeRange.from.valueOf(), to: timeRange.to.valueOf() };
    return (
      <ComparisonView
        panel={props}
        comparisons={compared.comparisons}
        request={asked?.request ?? data.request}
        annotations={strip?.annotations ?? annotations}
        onBack={asked ? choosing?.clear : undefined}
        top={strip && { height: strip.height, element: strip.render({ range, lefts: noMargin, width }) }}
      />
    );
  }
  if (heats.length === 0) {
    return (
      <>
        <PanelDataErrorView panelId={id} fieldConfig={fieldConfig} data={data} message={problem} />
        <OpenButton />
      </>
    );
  }
  if (!ramp) {
    // For as long as it takes to read the cells, once.
    return null;
  }
  return (
    <>
      <Menued panel={props} heats={heats}>
        <HeatView
          panel={props}
          heats={heats}
          ramp={ramp}
          colours={colours}
          annotations={strip?.annotations ?? annotations}
          top={strip}
          choosing={choosing}
          onOpenCell={open}
        />
      </Menued>
      {opened && <CellDrawer panel={props} opened={opened} onClose={close} />}
    </>
  );
}
