import { type DataQueryRequest, dateTime } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import type { OpenedCell } from '../openedCell';
import type { Inside } from './sides';

export interface Matcher {
  dimension: string;
  values: string[];
}

/** What of a query of our data source the drawer knows. */
export interface HeatQuery extends DataQuery {
  kind?: string;
  pom?: string;
  matchers?: Matcher[];
  y?: string;
  valueMin?: number;
  valueMax?: number;
  baseline?: { version?: string; query?: string };
  candidate?: { version?: string; query?: string };
}

/** The query whose answer a cell is in; undefined where its inside cannot be asked for. */
export function queryOf(cell: OpenedCell, targets: DataQuery[]): HeatQuery | undefined {
  const target: HeatQuery | undefined = targets.find(({ refId }) => refId === cell.refId);
  const isOver = target?.kind === 'heatmap' ? cell.times : target?.kind === 'spectrum' ? cell.bin : undefined;
  return target?.pom && isOver && cell.values ? target : undefined;
}

/**
 * The request for what is in a cell, made of the panel's own: the same point
 * and filters, and the labels of the cell's series. A cell of a spectrum is of
 * the whole range; its row is a value of the dimension that goes up.
 */
export function cellRequest({ cell, target, side }: Inside, request: DataQueryRequest): DataQueryRequest<HeatQuery> {
  const isSpectrum = target.kind === 'spectrum';
  const matchers = [
    ...(target.matchers ?? []),
    ...Object.entries(cell.labels).map(([dimension, value]) => ({ dimension, values: [value] })),
    ...(isSpectrum && target.y
      ? [{ dimension: target.y, values: [String((cell.values!.from + cell.values!.to) / 2)] }]
      : []),
  ];
  const { from, to } = isSpectrum ? cell.bin! : cell.values!;
  const asked: HeatQuery = {
    refId: target.refId,
    datasource: target.datasource,
    kind: 'cell',
    pom: target.pom,
    matchers,
    ...(from > 0 && { valueMin: from }),
    ...(Number.isFinite(to) && { valueMax: to }),
  };
  const times = cell.times && { from: dateTime(cell.times.from), to: dateTime(cell.times.to) };
  const range = times ? { ...times, raw: times } : request.range;
  // Of two requests of one id the first would be given up.
  const requestId = [request.requestId, 'cell', side].filter(Boolean).join('-');
  return { ...request, requestId, range, rangeRaw: range.raw, targets: [asked] };
}
