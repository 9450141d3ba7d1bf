import { type DataFrame, DataFrameType, type Field, FieldType } from '@grafana/data';
import { MalformedFrame } from '../fields';
import { readHeats } from '../frames';
import { type Heat, isEmpty } from '../heat';

/** What is said of one side of a comparison: see pkg/frames/difference.go. Figures are in the unit of the report. */
export interface SideReport {
  label: string;
  version: string;
  goVersions: string[];
  /** Milliseconds since the epoch. */
  from: number;
  to: number;
  n: number;
  blocks: number;
  p50?: number;
  p99?: number;
  max?: number;
}

/** What a comparison has found, of one series. */
export interface Report {
  pom: string;
  unit: string;
  /** What a difference is of: shares of all hits, hits per request, or per second. */
  per: 'share' | 'request' | 'second';
  baseline: SideReport;
  candidate: SideReport;
  /** How far values have moved, as a natural logarithm: over 0 where they are greater in the candidate. */
  distance: number;
  distanceP: number;
  significantCells: number;
  cells: number;
  blockSeconds: number;
  /** Whether blocks of the same time stand against each other. */
  paired?: boolean;
  /** That q is held against. */
  level: number;
  /** What changed, in English. */
  words: string;
  /** Why there is no difference. */
  refused?: string;
}

/** One series of a comparison. */
export interface Comparison {
  name: string;
  report: Report;
  /** The heat of both sides, where there is any. */
  baseline?: Heat;
  candidate?: Heat;
  /** Candidate less baseline; absent where the comparison was refused. */
  difference?: Heat;
}

const isDifference = (frame: DataFrame) => (frame.meta?.type as string | undefined) === 'heat-difference';

/** Whether frames are those of a comparison. */
export const isComparison = (frames: DataFrame[]) => frames.some(isDifference);

/**
 * Reads comparisons: for each series a frame of the heat of each side, which
 * says in meta.custom.arm which it is, then one of type heat-difference.
 * `columnWidth` is as for [readHeats]. It throws [MalformedFrame].
 */
export function readComparisons(frames: DataFrame[], columnWidth: number): Comparison[] {
  const comparisons: Comparison[] = [];
  let sides: Pick<Comparison, 'baseline' | 'candidate'> = {};
  for (const frame of frames) {
    const arm: unknown = frame.meta?.custom?.arm;
    if (arm === 'baseline' || arm === 'candidate') {
      sides[arm] = readHeats([frame], columnWidth).find((heat) => !isEmpty(heat));
    } else if (isDifference(frame)) {
      const difference = frame.length > 0 ? readDifference(frame, columnWidth) : undefined;
      comparisons.push({ name: frame.name ?? '', report: readReport(frame), ...sides, difference });
      sides = {};
    }
  }
  return comparisons;
}

const nameOf = (frame: DataFrame) => `frame ${JSON.stringify(frame.name || frame.refId || '')}`;

function readReport(frame: DataFrame): Report {
  const report: Partial<Report> | undefined = frame.meta?.custom?.comparison;
  const wrong = (what: string, found: unknown) =>
    new MalformedFrame(`${nameOf(frame)}: meta.custom.comparison${what} is ${JSON.stringify(found)}`);
  if (typeof report !== 'object' || report === null) {
    throw wrong('', report);
  }
  for (const name of ['distance', 'distanceP', 'significantCells', 'cells', 'blockSeconds', 'level'] as const) {
    if (!Number.isFinite(report[name])) {
      throw wrong(`.${name}`, report[name]);
    }
  }
  for (const side of ['baseline', 'candidate'] as const) {
    if (typeof report[side]?.label !== 'string' || !Number.isFinite(report[side].n)) {
      throw wrong(`.${side}`, report[side]);
    }
  }
  if (typeof report.words !== 'string') {
    throw wrong('.words', report.words);
  }
  return report as Report;
}

function readDifference(frame: DataFrame, columnWidth: number): Heat {
  const field = (name: string, type: FieldType): Field => {
    const found = frame.fields.find((f) => f.name === name);
    if (found?.type !== type) {
      throw new MalformedFrame(
        `${nameOf(frame)}: field ${name} is ${found ? `of type ${found.type}` : 'missing'}, must be of type ${type}`
      );
    }
    return found;
  };
  const difference = field('difference', FieldType.number);
  const significant = field('significant', FieldType.boolean);
  // Where the cells lie is read as of heat whose counts are the numbers of the rows.
  const rowNumbers = { ...difference, name: 'count', values: Array.from({ length: frame.length }, (_, row) => row) };
  const cells: DataFrame = {
    ...frame,
    meta: { type: DataFrameType.HeatmapCells },
    fields: [...frame.fields.filter(({ name }) => ['xMax', 'yMin', 'yMax'].includes(name)), rowNumbers],
  };
  const [{ counts: rows, ...where }] = readHeats([cells], columnWidth);
  const numbers = (name: string) => {
    const { values } = field(name, FieldType.number);
    return rows.map((row) => {
      if (Number.isNaN(row)) {
        return NaN;
      }
      if (!Number.isFinite(values[row])) {
        throw new MalformedFrame(`${nameOf(frame)}: field ${name}, row ${row}: ${values[row]} is not a number`);
      }
      return values[row] as number;
    });
  };
  return {
    ...where,
    countField: difference,
    counts: numbers('difference'),
    difference: {
      q: numbers('q'),
      baseline: numbers('baseline'),
      candidate: numbers('candidate'),
      muted: Uint8Array.from(rows, (row) => (Number.isNaN(row) || significant.values[row] === true ? 0 : 1)),
    },
  };
}
