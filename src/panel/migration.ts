import { hsl } from 'd3-color';
import { createTheme, type FieldConfigSource, type PanelTypeChangedHandler } from '@grafana/data';
import type { ScaleDistributionConfig } from '@grafana/schema';
import type { Options as CoreOptions } from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import { schemes } from '../renderer';
import { defaultOptions, type Options } from './options';

/** The options of Grafana's own heatmap. A dashboard has those that differ from the defaults, or all. */
type Core = { [Name in keyof CoreOptions]?: Partial<CoreOptions[Name]> };

/** What Grafana's own heatmap takes where a dashboard does not say it. */
const theirs = { scheme: 'Oranges', steps: 64, cellGap: 1, fill: 'dark-orange', exponent: 0.5, hideUpTo: 1e-9 };

/** Keeps the settings of Grafana's own heatmap when a user changes it into this one. */
export const changeFromHeatmap: PanelTypeChangedHandler<Options> = (_panel, before, options, fieldConfig) =>
  before === 'heatmap' ? fromHeatmap(options as Core, fieldConfig) : {};

/**
 * What options of Grafana's own heatmap mean here. These have no counterpart:
 * calculating heat from series (the transformation "Create heatmap" does that),
 * the unit of counts, the radius of cells, and what a tooltip shows beside a
 * cell.
 */
export function fromHeatmap(core: Core, fieldConfig?: FieldConfigSource): Partial<Options> {
  const { color = {}, yAxis = {}, filterValues = {} } = core;
  const isOpacity = color.mode === 'opacity';
  const y = scaleOf(core, fieldConfig);
  return {
    color: {
      ...defaultOptions.color,
      scheme: isOpacity ? schemeLike(color.fill ?? theirs.fill) : schemeNamed(color.scheme ?? theirs.scheme),
      reverse: !isOpacity && (color.reverse ?? false),
      steps: Math.min(128, Math.max(2, color.steps ?? theirs.steps)),
      // An exponent under 1 is there to make rare cells visible, as a log scale is.
      scale: isOpacity && color.scale === 'exponential' && (color.exponent ?? theirs.exponent) < 1 ? 'log' : 'linear',
      ...given({
        min: color.min,
        max: color.max,
        // Cells of no hits are never drawn here.
        hideUpTo: (filterValues.le ?? 0) > theirs.hideUpTo ? filterValues.le : undefined,
        hideFrom: filterValues.ge,
      }),
    },
    cellGap: core.cellGap ?? theirs.cellGap,
    yAxis: {
      ...defaultOptions.yAxis,
      ...y,
      placement: yAxis.axisPlacement === 'right' || yAxis.axisPlacement === 'hidden' ? yAxis.axisPlacement : 'left',
      reverse: yAxis.reverse ?? false,
      ...given({
        label: yAxis.axisLabel || undefined,
        unit: yAxis.unit || undefined,
        decimals: yAxis.decimals,
        min: yAxis.min,
        max: yAxis.max,
      }),
    },
    exemplars: { ...defaultOptions.exemplars, ...given({ color: core.exemplars?.color }) },
    tooltip: { show: core.tooltip?.mode !== 'none' },
    legend: { show: core.legend?.show ?? true },
  };
}

/** Those that are said: in a dashboard what is not said may be null. */
function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== null)
  ) as Partial<T>;
}

/** The scale of the Y axis is in one of three places, depending on what kind of frames there are. */
function scaleOf(core: Core, fieldConfig?: FieldConfigSource): Pick<Options['yAxis'], 'scale' | 'linearUpTo'> {
  const custom = fieldConfig?.defaults.custom as { scaleDistribution?: ScaleDistributionConfig } | undefined;
  const ofCells = custom?.scaleDistribution;
  const found =
    (core.calculate ? core.calculation?.yBuckets?.scale : undefined) ??
    core.rowsFrame?.yBucketScale ??
    // Linear is what every panel has there, and draws buckets that grow on a log scale all the same.
    (ofCells?.type === 'linear' ? undefined : ofCells);
  return found ? { scale: found.type, ...given({ linearUpTo: found.linearThreshold }) } : { scale: 'auto' };
}

function schemeNamed(name: string): string {
  return schemes.some((scheme) => scheme.name === name) ? name : theirs.scheme;
}

const hues = ['Reds', 'Oranges', 'Greens', 'Blues', 'Purples'];

/** The scheme of one hue that is nearest to that of a colour, which may be a name of the theme. */
function schemeLike(fill: string): string {
  const { h, s } = hsl(createTheme().visualization.getColorByName(fill));
  if (!(s > 0.1)) {
    return 'Greys';
  }
  const away = (name: string) => {
    const scheme = schemes.find((other) => other.name === name)!;
    const turn = Math.abs(hsl(scheme.interpolate(0.7)).h - h) % 360;
    return Math.min(turn, 360 - turn);
  };
  return hues.reduce((nearest, name) => (away(name) < away(nearest) ? name : nearest));
}
