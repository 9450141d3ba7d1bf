import type { DataFrame } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import type { Arm } from '../difference/arms';
import type { Report } from '../difference/comparison';
import type { OpenedCell } from '../openedCell';
import type { HeatQuery } from './request';

/** A cell as the query of its heat knows it; of a comparison, on one of its sides. */
export interface Inside {
  side?: Arm;
  cell: OpenedCell;
  target: HeatQuery;
}

/**
 * The insides of a cell of a comparison: of one side's heat its own; of a
 * difference both, the baseline first. A column of a difference is a time of the
 * candidate, held against all of the baseline's time. A side without hits has none.
 */
export function insidesOf(cell: OpenedCell, targets: DataQuery[], report: Report, arm?: Arm): Inside[] {
  const compare: HeatQuery | undefined = targets.find(({ refId }) => refId === cell.refId);
  if (compare?.kind !== 'compare' || !cell.times || !cell.values) {
    return [];
  }
  const sides: Arm[] = arm ? [arm] : ['baseline', 'candidate'];
  return sides.flatMap((side) => {
    const target = targetOf(side, compare, targets, report);
    const { from, to } = report[side];
    const times = !arm && side === 'baseline' ? { from, to } : cell.times!;
    return target && times.from < times.to ? [{ side, cell: { ...cell, times }, target }] : [];
  });
}

/**
 * The inside that a row is of: that of its table's side; or of the side that has
 * its process, the candidate rather than the baseline. `answers` are those of
 * the insides.
 */
export function insideOf(
  insides: Inside[],
  answers: DataFrame[][],
  { arm, process }: { arm?: Arm; process?: string }
): Inside {
  const isOf = ({ side }: Inside, i: number) => (arm ? side === arm : hasProcess(answers[i] ?? [], process));
  return insides.findLast(isOf) ?? insides[insides.length - 1];
}

const hasProcess = (frames: DataFrame[], process: string | undefined) =>
  frames.some(({ meta, fields }) => meta?.custom?.dimension === 'process' && fields[0].values.includes(process));

/** The query that has the heat of one side: see Arm in pkg/datasource/query. */
function targetOf(side: Arm, compare: HeatQuery, targets: DataQuery[], report: Report): HeatQuery | undefined {
  const arm = compare[side];
  const of: HeatQuery | undefined = arm?.query ? targets.find(({ refId }) => refId === arm.query) : compare;
  // Nothing said is one version after the other.
  const isOfVersion = arm === undefined || Boolean(arm.version);
  const versions = report[side].version.split(', ').filter(Boolean);
  if (!of?.pom || (isOfVersion && versions.length === 0)) {
    return undefined;
  }
  const { refId, datasource } = compare;
  const matchers = [...(of.matchers ?? []), ...(isOfVersion ? [{ dimension: 'version', values: versions }] : [])];
  return { refId, datasource, kind: 'heatmap', pom: of.pom, matchers };
}
