import type { PanelOptionsEditorBuilder, SelectableValue } from '@grafana/data';
import { type Measure, type Ramp, type Scheme, schemes } from '../renderer';
import { type Mode, modes } from './difference/modes';
import type { Kind } from './scale';

/** What a user can set on a heat panel. */
export interface Options {
  /** Each series in a plot of its own, below, beside or around each other; or all added up in one. */
  series: 'rows' | 'columns' | 'grid' | 'sum';
  draw: {
    /** Cells; or single measurements, each as a spot of ink. */
    as: 'auto' | 'cells' | 'points';
    /** Of points: how far their ink reaches, as a standard deviation in CSS pixels. */
    sigma: number;
    /** Of points: how many seconds before the end ink has half its strength; it does not fade when not set. */
    halfLife?: number;
  };
  color: {
    scheme: string;
    reverse: boolean;
    steps: number;
    /** What of a cell its colour shows: its count, its share of the column, or its count per height of the bucket. */
    measure: Measure;
    /** How much hotter a cell is that has more. */
    scale: Ramp['scale'];
    /** For symlog: up to where the scale is linear; a hundredth of the hottest when not set. */
    linearUpTo?: number;
    /** What the middle of the colours shows; half way between the ends when not set. */
    midpoint?: number;
    /** What the cold and the hot end show; the least and the greatest there is when not set. */
    min?: number;
    max?: number;
    /** Counts that are not shown: up to one, and from one on. */
    hideUpTo?: number;
    hideFrom?: number;
  };
  /** CSS pixels left clear between cells. */
  cellGap: number;
  xAxis: {
    /** Of bins; time is always linear. */
    scale: 'auto' | 'log' | 'linear';
    /** Of bins; the unit that the frame says when not set. */
    unit?: string;
    decimals?: number;
    label?: string;
  };
  yAxis: {
    scale: 'auto' | Kind;
    /** For symlog: how far from zero the scale is linear; as far as the bucket nearest to zero when not set. */
    linearUpTo?: number;
    placement: 'left' | 'right' | 'hidden';
    label?: string;
    /** Of values, and of the cells of gauges; the unit that the frame says when not set. */
    unit?: string;
    decimals?: number;
    min?: number;
    max?: number;
    /** The lowest values at the top. */
    reverse: boolean;
    /** Panels of a dashboard that name the same group, and have the same unit, show the same range. */
    group?: string;
  };
  /** How many hits rows have altogether, to the right of each plot, and columns, over it. */
  histograms: { right: boolean; top: boolean };
  /** Which version of each service ran when, above the plots. */
  versions: { show: boolean };
  /** Series of other queries, over the heat. */
  lines: { show: boolean };
  /** Marks of single measurements that the data source remembers. The color is one of CSS, or a name of the theme. */
  exemplars: { show: boolean; color: string };
  /** Of queries that compare, and of what is compared in the panel. */
  comparison: {
    mode: Mode;
    /** Of differences. */
    scheme: string;
    reverse: boolean;
    scale: 'symlog' | 'linear';
  };
  tooltip: { show: boolean };
  legend: { show: boolean };
}

export const defaultOptions: Options = {
  series: 'rows',
  draw: { as: 'auto', sigma: 2 },
  color: { scheme: schemes[0].name, reverse: false, steps: 64, measure: 'count', scale: 'log' },
  cellGap: 0,
  xAxis: { scale: 'auto' },
  yAxis: { scale: 'auto', placement: 'left', reverse: false },
  histograms: { right: false, top: false },
  versions: { show: true },
  lines: { show: true },
  exemplars: { show: true, color: 'rgba(255,0,255,0.7)' },
  comparison: { mode: 'difference', scheme: 'PuOr', reverse: false, scale: 'symlog' },
  tooltip: { show: true },
  legend: { show: true },
};

const xScales: Array<SelectableValue<Options['xAxis']['scale']>> = [
  { value: 'auto', label: 'Auto' },
  { value: 'log', label: 'Log' },
  { value: 'linear', label: 'Linear' },
];

const yScales: Array<SelectableValue<Options['yAxis']['scale']>> = [
  {
    value: 'auto',
    label: 'Auto',
    description:
      'Log where buckets grow, symlog where they do on both sides of zero; ordinal for classic histograms of Prometheus',
  },
  { value: 'log', label: 'Log', description: 'Equal factors are equally high' },
  { value: 'linear', label: 'Linear', description: 'Equal differences are equally high' },
  { value: 'symlog', label: 'Symlog', description: 'Log on both sides of zero, linear near it' },
  { value: 'ordinal', label: 'Ordinal', description: 'All buckets are equally high' },
];

const measures: Array<SelectableValue<Measure>> = [
  { value: 'count', label: 'Count', description: 'The hits in the cell' },
  { value: 'share', label: 'Share of column', description: 'So that columns of few and of many hits compare' },
  {
    value: 'density',
    label: 'Count per height',
    description: 'So that a bucket is not hot merely because it is high',
  },
];

const colorScales: Array<SelectableValue<Ramp['scale']>> = [
  { value: 'log', label: 'Log', description: 'Equal factors are equally far apart' },
  { value: 'linear', label: 'Linear', description: 'Equal differences are equally far apart' },
  { value: 'symlog', label: 'Symlog', description: 'Log, but linear near zero' },
  { value: 'rank', label: 'Quantile', description: 'Each color for as many cells as the others' },
];

/** What to know of a scheme when choosing it. */
function describeScheme({ sequential, diverging, isSafe }: Scheme): string {
  const kind = sequential ? 'Dark to bright' : diverging ? 'Diverging from a midpoint' : 'All hues';
  return isSafe ? kind : `${kind}; not for color-blind readers`;
}

export function addOptions(builder: PanelOptionsEditorBuilder<Options>) {
  const heat = ['Heat'];
  const xAxis = ['X axis'];
  const yAxis = ['Y axis'];
  const comparison = ['Comparison'];
  const over = ['Beside the heat'];
  builder
    .addSelect({
      path: 'series',
      name: 'Series',
      description: 'Give each series a plot of its own, or add their counts up in one',
      category: heat,
      defaultValue: defaultOptions.series,
      settings: {
        options: [
          { value: 'rows', label: 'Rows', description: 'Plots one below the other' },
          { value: 'columns', label: 'Columns', description: 'Plots side by side, as many as have room' },
          { value: 'grid', label: 'Grid', description: 'Plots in the shape of the panel' },
          { value: 'sum', label: 'Added up', description: 'One plot of all' },
        ],
      },
    })
    .addRadio({
      path: 'draw.as',
      name: 'Draw as',
      description: 'Auto draws single hits as points, and all else as cells. Points can be any numbers over time',
      category: heat,
      defaultValue: defaultOptions.draw.as,
      settings: {
        options: [
          { value: 'auto', label: 'Auto' },
          { value: 'cells', label: 'Cells' },
          { value: 'points', label: 'Points' },
        ],
      },
    })
    .addSliderInput({
      path: 'draw.sigma',
      name: 'Size of points',
      description: 'Standard deviation of the ink of a point, in pixels',
      category: heat,
      defaultValue: defaultOptions.draw.sigma,
      settings: { min: 0.5, max: 20, step: 0.5 },
      showIf: ({ draw }) => draw.as !== 'cells',
    })
    .addNumberInput({
      path: 'draw.halfLife',
      name: 'Half-life',
      description: 'Seconds before the right end at which a point is half as strong as there',
      category: heat,
      settings: { placeholder: 'Never fades', min: Number.MIN_VALUE },
      showIf: ({ draw }) => draw.as !== 'cells',
    })
    .addSelect({
      path: 'color.measure',
      name: 'Color shows',
      description: 'What of a cell its color shows',
      category: heat,
      defaultValue: defaultOptions.color.measure,
      settings: { options: measures },
    })
    .addSelect({
      path: 'color.scale',
      name: 'Color scale',
      description: 'Heat is skewed: on a log scale rare cells stay visible beside common ones',
      category: heat,
      defaultValue: defaultOptions.color.scale,
      settings: { options: colorScales },
    })
    .addNumberInput({
      path: 'color.linearUpTo',
      name: 'Linear up to',
      description: 'Up to where the color scale is linear; auto is a hundredth of the hottest',
      category: heat,
      settings: { placeholder: 'Auto', min: Number.MIN_VALUE },
      showIf: ({ color }) => color.scale === 'symlog',
    })
    .addSelect({
      path: 'color.scheme',
      name: 'Color scheme',
      category: heat,
      defaultValue: defaultOptions.color.scheme,
      settings: {
        options: schemes.map((scheme) => ({
          value: scheme.name,
          label: scheme.name,
          description: describeScheme(scheme),
        })),
      },
    })
    .addNumberInput({
      path: 'color.midpoint',
      name: 'Midpoint',
      description: 'What the middle of the colors shows: both sides diverge from it',
      category: heat,
      settings: { placeholder: 'None' },
      showIf: ({ color }) => schemes.some(({ name, diverging }) => diverging && name === color.scheme),
    })
    .addBooleanSwitch({
      path: 'color.reverse',
      name: 'Reverse',
      description: 'Show what is hot in the colors of what is cold',
      category: heat,
      defaultValue: defaultOptions.color.reverse,
    })
    .addSliderInput({
      path: 'color.steps',
      name: 'Steps',
      description: 'How many colors there are',
      category: heat,
      defaultValue: defaultOptions.color.steps,
      settings: { min: 2, max: 128, step: 1 },
    })
    .addNumberInput({
      path: 'color.min',
      name: 'Coldest',
      description: 'What is not over this has the coldest color. A share is a number from 0 to 1',
      category: heat,
      settings: { placeholder: 'Auto' },
    })
    .addNumberInput({
      path: 'color.max',
      name: 'Hottest',
      description: 'What is not under this has the hottest color. A share is a number from 0 to 1',
      category: heat,
      settings: { placeholder: 'Auto' },
    })
    .addNumberInput({
      path: 'color.hideUpTo',
      name: 'Hide counts up to',
      description: 'Cells with so many hits or fewer are not drawn. They are in all sums',
      category: heat,
      settings: { placeholder: 'None', min: 0 },
    })
    .addNumberInput({
      path: 'color.hideFrom',
      name: 'Hide counts from',
      description: 'Cells with so many hits or more are not drawn. They are in all sums',
      category: heat,
      settings: { placeholder: 'None', min: 0 },
    })
    .addSliderInput({
      path: 'cellGap',
      name: 'Cell gap',
      description: 'Pixels between cells, where cells are large enough',
      category: heat,
      defaultValue: defaultOptions.cellGap,
      settings: { min: 0, max: 10, step: 1 },
    })
    .addRadio({
      path: 'yAxis.placement',
      name: 'Placement',
      category: yAxis,
      defaultValue: defaultOptions.yAxis.placement,
      settings: {
        options: [
          { value: 'left', label: 'Left' },
          { value: 'right', label: 'Right' },
          { value: 'hidden', label: 'Hidden' },
        ],
      },
    })
    .addTextInput({
      path: 'yAxis.label',
      name: 'Label',
      description: 'What the values are, written along the axis',
      category: yAxis,
      settings: { placeholder: 'None' },
      showIf: ({ yAxis }) => yAxis.placement !== 'hidden',
    })
    .addSelect({
      path: 'yAxis.scale',
      name: 'Scale',
      category: yAxis,
      defaultValue: defaultOptions.yAxis.scale,
      settings: { options: yScales },
    })
    .addNumberInput({
      path: 'yAxis.linearUpTo',
      name: 'Linear up to',
      description: 'How far from zero the scale is linear; auto is the end of the bucket nearest to zero',
      category: yAxis,
      settings: { placeholder: 'Auto', min: Number.MIN_VALUE },
      showIf: ({ yAxis }) => yAxis.scale === 'symlog',
    })
    .addUnitPicker({
      path: 'yAxis.unit',
      name: 'Unit',
      description: 'Auto is the unit that the data source says',
      category: yAxis,
    })
    .addNumberInput({
      path: 'yAxis.decimals',
      name: 'Decimals',
      category: yAxis,
      settings: { placeholder: 'Auto', min: 0, max: 15, integer: true },
    })
    .addNumberInput({ path: 'yAxis.min', name: 'Min', category: yAxis, settings: { placeholder: 'Auto' } })
    .addNumberInput({ path: 'yAxis.max', name: 'Max', category: yAxis, settings: { placeholder: 'Auto' } })
    .addBooleanSwitch({
      path: 'yAxis.reverse',
      name: 'Reverse',
      description: 'Show the lowest values at the top',
      category: yAxis,
      defaultValue: defaultOptions.yAxis.reverse,
    })
    .addTextInput({
      path: 'yAxis.group',
      name: 'Shared by',
      description:
        'Heat panels of this dashboard that have the same name here, the same unit and the same kind of scale show the same range of values',
      category: yAxis,
      settings: { placeholder: 'This panel alone' },
    })
    .addTextInput({
      path: 'xAxis.label',
      name: 'Label',
      description: 'What the columns are, written below the axis',
      category: xAxis,
      settings: { placeholder: 'None' },
    })
    .addRadio({
      path: 'xAxis.scale',
      name: 'Scale of bins',
      description: 'Where columns are bins of values. Time is always linear',
      category: xAxis,
      defaultValue: defaultOptions.xAxis.scale,
      settings: { options: xScales },
    })
    .addUnitPicker({
      path: 'xAxis.unit',
      name: 'Unit of bins',
      description: 'Auto is the unit that the data source says',
      category: xAxis,
    })
    .addNumberInput({
      path: 'xAxis.decimals',
      name: 'Decimals of bins',
      category: xAxis,
      settings: { placeholder: 'Auto', min: 0, max: 15, integer: true },
    })
    .addBooleanSwitch({
      path: 'versions.show',
      name: 'Show versions',
      description: 'Above the plots which version ran when, where annotations of releases say it',
      category: ['Releases'],
      defaultValue: defaultOptions.versions.show,
    })
    .addSelect({
      path: 'comparison.mode',
      name: 'Show as',
      description: 'How two versions, or windows of time, are compared. It can be changed in the panel',
      category: comparison,
      defaultValue: defaultOptions.comparison.mode,
      settings: { options: modes },
    })
    .addSelect({
      path: 'comparison.scheme',
      name: 'Color scheme',
      description: 'Of differences. What is not significant stays grey',
      category: comparison,
      defaultValue: defaultOptions.comparison.scheme,
      settings: {
        options: schemes.filter(({ diverging }) => diverging).map(({ name }) => ({ value: name, label: name })),
      },
    })
    .addBooleanSwitch({
      path: 'comparison.reverse',
      name: 'Reverse',
      category: comparison,
      defaultValue: defaultOptions.comparison.reverse,
    })
    .addRadio({
      path: 'comparison.scale',
      name: 'Color scale',
      description: 'On a symlog scale small differences are seen beside large ones',
      category: comparison,
      defaultValue: defaultOptions.comparison.scale,
      settings: {
        options: [
          { value: 'symlog', label: 'Symlog' },
          { value: 'linear', label: 'Linear' },
        ],
      },
    })
    .addBooleanSwitch({
      path: 'histograms.right',
      name: 'Hits of rows',
      description: 'Show to the right of each plot how many hits its rows have altogether',
      category: over,
      defaultValue: defaultOptions.histograms.right,
    })
    .addBooleanSwitch({
      path: 'histograms.top',
      name: 'Hits of columns',
      description: 'Show over each plot how many hits its columns have altogether',
      category: over,
      defaultValue: defaultOptions.histograms.top,
    })
    .addBooleanSwitch({
      path: 'lines.show',
      name: 'Lines',
      description: 'Draw the series of other queries over the heat, on its Y axis',
      category: over,
      defaultValue: defaultOptions.lines.show,
    })
    .addBooleanSwitch({
      path: 'exemplars.show',
      name: 'Exemplars',
      description: 'Mark single measurements that the data source remembers',
      category: over,
      defaultValue: defaultOptions.exemplars.show,
    })
    .addColorPicker({
      path: 'exemplars.color',
      name: 'Color of exemplars',
      category: over,
      defaultValue: defaultOptions.exemplars.color,
      showIf: ({ exemplars }) => exemplars.show,
    })
    .addBooleanSwitch({
      path: 'tooltip.show',
      name: 'Show tooltip',
      category: ['Tooltip'],
      defaultValue: defaultOptions.tooltip.show,
    })
    .addBooleanSwitch({
      path: 'legend.show',
      name: 'Show color scale',
      category: ['Legend'],
      defaultValue: defaultOptions.legend.show,
    });
}
