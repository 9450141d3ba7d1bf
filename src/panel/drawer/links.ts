import {
  applyFieldOverrides,
  type DataFrame,
  type DataLink,
  type FieldConfigSource,
  type GrafanaTheme2,
  type InterpolateFunction,
  type LinkModel,
  type ScopedVars,
} from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import type { Arm } from '../difference/arms';
import type { OpenedCell } from '../openedCell';

/** A row of a table of the drawer, as its links know it. */
export interface Row {
  process?: string;
  traceID?: string;
  /** The side of a comparison that its table is of. */
  arm?: Arm;
}

/** The variable `__cell` of data links: `${__cell.from}` and so on. Times are milliseconds since 1970. */
export function cellVariables({ times, values, labels, series, count }: OpenedCell, row: Row): ScopedVars {
  const value = {
    ...labels,
    series,
    count,
    from: times?.from,
    to: times?.to,
    valueMin: values?.from,
    valueMax: values?.to,
    process: row.process ?? labels.process ?? '',
    traceID: row.traceID ?? '',
  };
  return { __cell: { text: 'Cell', value } };
}

/** What a row says of itself, else what is so in all of the cell. */
export function rowOf(frame: DataFrame, row: number, process: string | undefined): Row {
  const at = (name: string) => frame.fields.find((field) => field.name === name)?.values[row];
  return {
    process: (frame.meta?.custom?.dimension === 'process' ? at('value') : at('process')) || process,
    traceID: at('traceID'),
    arm: frame.meta?.custom?.arm,
  };
}

interface Shaping {
  /** The cell that a row is about: the two sides of a comparison have their own times. */
  cellOf: (row: Row) => OpenedCell;
  /** The one process of the cell, where there is but one. */
  process?: string;
  fieldConfig: FieldConfigSource;
  replaceVariables: InterpolateFunction;
  theme: GrafanaTheme2;
  timeZone: TimeZone;
}

/** Gives tables the units and the data links that the panel's field options say, with the variables of their cell. */
export function withLinks(frames: DataFrame[], shaping: Shaping): DataFrame[] {
  const { cellOf, process, replaceVariables, fieldConfig, theme, timeZone } = shaping;
  const replace: InterpolateFunction = (text, scoped, format) => {
    const { frame, rowIndex }: { frame?: DataFrame; rowIndex?: number } = scoped?.__dataContext?.value ?? {};
    const row = frame && rowIndex !== undefined ? rowOf(frame, rowIndex, process) : { process };
    return replaceVariables(text, { ...scoped, ...cellVariables(cellOf(row), row) }, format);
  };
  const { links } = fieldConfig.defaults;
  return applyFieldOverrides({
    data: frames,
    // Of all that can be set for fields, links are what the panel has.
    fieldConfig: { defaults: links ? { links } : {}, overrides: fieldConfig.overrides },
    replaceVariables: replace,
    theme,
    timeZone,
  });
}

/**
 * The links of a value in a table. What the panel links every field to is for
 * the first field of a row, which stands for it; others have what is for them only.
 */
export function linksOf(
  frame: DataFrame,
  name: string,
  row: number,
  isPrimary: boolean,
  defaults: DataLink[] = []
): LinkModel[] {
  const field = frame.fields.find((one) => one.name === name);
  const links = field?.config.links ?? [];
  const isOwn = JSON.stringify(links) !== JSON.stringify(defaults);
  return field && field.values[row] !== '' && links.length > 0 && (isPrimary || isOwn)
    ? (field.getLinks?.({ valueRowIndex: row }) ?? [])
    : [];
}
