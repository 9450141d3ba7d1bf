import type { PanelOptionsEditorBuilder, SelectableValue } from '@grafana/data';
import { schemes } from '../renderer';
import type { Kind } from './scale';

/** What a user can set on a heat panel. */
export interface Options {
  /** Each series in a plot of its own, below, beside or around each other; or all added up in one. */
  series: 'rows' | 'columns' | 'grid' | 'sum';
  color: {
    scheme: string;
    reverse: boolean;
    steps: number;
    scale: 'log' | 'linear';
    /** Counts at the cold and hot end; the least and greatest count when not set. */
    min?: number;
    max?: number;
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
  };
  /** How many hits rows have altogether, to the right of each plot, and columns, over it. */
  histograms: { right: boolean; top: boolean };
  /** Which version of each service ran when, above the plots. */
  versions: { show: boolean };
  tooltip: { show: boolean };
  legend: { show: boolean };
}

export const defaultOptions: Options = {
  series: 'rows',
  color: { scheme: schemes[0].name, reverse: false, steps: 64, scale: 'log' },
  cellGap: 0,
  xAxis: { scale: 'auto' },
  yAxis: { scale: 'auto', placement: 'left', reverse: false },
  histograms: { right: false, top: false },
  versions: { show: true },
  tooltip: { show: true },
  legend: { show: true },
};

const xScales: Array<SelectableValue<Options['xAxis']['scale']>> = [
  { value: 'auto', label: 'Auto' },
  { value: 'log', label: 'Log' },
  { value: 'linear', label: 'Linear' },
];

const yScales: Array<SelectableValue<Options['yAxis']['scale']>> = [
  { value: 'auto', label: 'Auto', description: 'Log where buckets grow, symlog where they do on both sides of zero' },
  { value: 'log', label: 'Log', description: 'Equal factors are equally high' },
  { value: 'linear', label: 'Linear', description: 'Equal differences are equally high' },
  { value: 'symlog', label: 'Symlog', description: 'Log on both sides of zero, linear near it' },
  { value: 'ordinal', label: 'Ordinal', description: 'All buckets are equally high' },
];

export function addOptions(builder: PanelOptionsEditorBuilder<Options>) {
  const heat = ['Heat'];
  const xAxis = ['X axis'];
  const yAxis = ['Y axis'];
  builder
    .addRadio({
      path: 'series',
      name: 'Series',
      description: 'Give each series a plot of its own, or add their counts up in one',
      category: heat,
      defaultValue: defaultOptions.series,
      settings: {
        options: [
          { value: 'rows', label: 'Rows' },
          { value: 'columns', label: 'Columns' },
          { value: 'grid', label: 'Grid' },
          { value: 'sum', label: 'Added up' },
        ],
      },
    })
    .addSelect({
      path: 'color.scheme',
      name: 'Color scheme',
      category: heat,
      defaultValue: defaultOptions.color.scheme,
      settings: { options: schemes.map(({ name }) => ({ value: name, label: name })) },
    })
    .addBooleanSwitch({
      path: 'color.reverse',
      name: 'Reverse',
      category: heat,
      defaultValue: defaultOptions.color.reverse,
    })
    .addSliderInput({
      path: 'color.steps',
      name: 'Steps',
      category: heat,
      defaultValue: defaultOptions.color.steps,
      settings: { min: 2, max: 128, step: 1 },
    })
    .addRadio({
      path: 'color.scale',
      name: 'Color scale',
      description: 'Heat is skewed: on a log scale rare cells stay visible beside common ones',
      category: heat,
      defaultValue: defaultOptions.color.scale,
      settings: {
        options: [
          { value: 'log', label: 'Log' },
          { value: 'linear', label: 'Linear' },
        ],
      },
    })
    .addNumberInput({
      path: 'color.min',
      name: 'Coldest count',
      category: heat,
      settings: { placeholder: 'Auto', min: 0 },
    })
    .addNumberInput({
      path: 'color.max',
      name: 'Hottest count',
      category: heat,
      settings: { placeholder: 'Auto', min: 0 },
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
