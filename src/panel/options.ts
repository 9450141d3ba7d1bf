import type { PanelOptionsEditorBuilder } from '@grafana/data';
import { schemes } from '../renderer';

/** What a user can set on a heat panel. */
export interface Options {
  /** Each series in a plot of its own, or all added up in one. */
  series: 'rows' | 'sum';
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
  /** Of bins; time is always linear. */
  xAxis: { scale: 'auto' | 'log' | 'linear' };
  yAxis: {
    scale: 'auto' | 'log' | 'linear';
    /** Of values, and of the cells of gauges; the unit that the frame says when not set. */
    unit?: string;
    decimals?: number;
    min?: number;
    max?: number;
  };
  tooltip: { show: boolean };
  legend: { show: boolean };
}

export const defaultOptions: Options = {
  series: 'rows',
  color: { scheme: schemes[0].name, reverse: false, steps: 64, scale: 'log' },
  cellGap: 0,
  xAxis: { scale: 'auto' },
  yAxis: { scale: 'auto' },
  tooltip: { show: true },
  legend: { show: true },
};

const scales: Array<{ value: Options['yAxis']['scale']; label: string }> = [
  { value: 'auto', label: 'Auto' },
  { value: 'log', label: 'Log' },
  { value: 'linear', label: 'Linear' },
];

export function addOptions(builder: PanelOptionsEditorBuilder<Options>) {
  const heat = ['Heat'];
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
          { value: 'rows', label: 'One below the other' },
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
      path: 'yAxis.scale',
      name: 'Scale',
      category: yAxis,
      defaultValue: defaultOptions.yAxis.scale,
      settings: { options: scales },
    })
    .addRadio({
      path: 'xAxis.scale',
      name: 'Scale of bins',
      description: 'Where columns are bins of values; time is always linear',
      category: ['X axis'],
      defaultValue: defaultOptions.xAxis.scale,
      settings: { options: scales },
    })
    .addUnitPicker({ path: 'yAxis.unit', name: 'Unit', category: yAxis })
    .addNumberInput({
      path: 'yAxis.decimals',
      name: 'Decimals',
      category: yAxis,
      settings: { placeholder: 'Auto', min: 0, max: 15, integer: true },
    })
    .addNumberInput({ path: 'yAxis.min', name: 'Min', category: yAxis, settings: { placeholder: 'Auto' } })
    .addNumberInput({ path: 'yAxis.max', name: 'Max', category: yAxis, settings: { placeholder: 'Auto' } })
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
