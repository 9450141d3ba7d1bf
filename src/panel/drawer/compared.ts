import { createDataFrame, type DataFrame, FieldType } from '@grafana/data';
import type { Arm } from '../difference/arms';
import type { PartMeta } from './contents';

/** What was answered of both sides of a comparison. */
export type Sides = Record<Arm, DataFrame[]>;

const arms: Arm[] = ['baseline', 'candidate'];

/**
 * What is in a cell on both sides of a comparison, as one answer: for each
 * dimension a table of the shares that its values have on either side, what the
 * candidate has most of first; then goroutines and exemplars of the candidate,
 * and those of the baseline. A share that is not told on a side is null.
 */
export function joinSides(sides: Sides): DataFrame[] {
  const dimensions = new Set(arms.flatMap((arm) => sides[arm].map((frame) => metaOf(frame).dimension ?? [])).flat());
  const tables = (arm: Arm) =>
    sides[arm]
      .filter((frame) => !metaOf(frame).dimension)
      .map((frame) => ({ ...frame, meta: { ...frame.meta, custom: { ...metaOf(frame), arm } } }));
  return [
    ...Array.from(dimensions, (dimension) => joinParts(dimension, sides)),
    ...tables('candidate'),
    ...tables('baseline'),
  ];
}

/** How many hits are in a cell, by an answer about it. */
export function hitsIn(frames: DataFrame[]): number {
  return metaOf(frames.find((frame) => metaOf(frame).dimension)).count ?? 0;
}

const metaOf = (frame: DataFrame | undefined): PartMeta => frame?.meta?.custom ?? {};

/** The shares of one dimension's values on one side. */
interface Part {
  shares: Map<string, number>;
  /** The share of all values that have no row; undefined where each has one. */
  rest?: number;
  notices: string[];
}

function joinParts(dimension: string, sides: Sides): DataFrame {
  const [baseline, candidate] = arms.map((arm) => readPart(dimension, sides[arm]));
  const parts = [baseline, candidate];
  const shareOf = ({ shares, rest }: Part, value: string) => shares.get(value) ?? (rest === undefined ? 0 : null);
  const more = (part: Part) => (a: string, b: string) => (shareOf(part, b) ?? 0) - (shareOf(part, a) ?? 0);
  const values = [...new Set(parts.flatMap(({ shares }) => [...shares.keys()]))];
  values.sort((a, b) => more(candidate)(a, b) || more(baseline)(a, b));
  const others = parts.some(({ rest }) => rest !== undefined);
  const column = (part: Part) => [...values.map((value) => shareOf(part, value)), ...(others ? [part.rest ?? 0] : [])];
  const config = { unit: 'percentunit' };
  return createDataFrame({
    name: dimension,
    meta: {
      custom: { dimension, others },
      notices: arms.flatMap((arm, i) =>
        parts[i].notices.map((text) => ({ severity: 'info' as const, text: `The ${arm}: ${text}` }))
      ),
    },
    fields: [
      { name: 'value', type: FieldType.string, values: [...values, ...(others ? ['others'] : [])] },
      { name: 'baseline', type: FieldType.number, config, values: column(baseline) },
      { name: 'candidate', type: FieldType.number, config, values: column(candidate) },
    ],
  });
}

function readPart(dimension: string, frames: DataFrame[]): Part {
  const frame = frames.find((one) => metaOf(one).dimension === dimension);
  if (!frame) {
    // A table is left out where it would say of no hit what it is.
    return { shares: new Map(hitsIn(frames) > 0 ? [['', 1]] : []), notices: [] };
  }
  const valuesOf = (name: string) => frame.fields.find((field) => field.name === name)?.values ?? [];
  const [values, shares] = [valuesOf('value'), valuesOf('share')];
  const told = metaOf(frame).others ? frame.length - 1 : frame.length;
  return {
    shares: new Map(Array.from({ length: told }, (_, row) => [values[row], shares[row]])),
    rest: told < frame.length ? shares[told] : undefined,
    notices: (frame.meta?.notices ?? []).map(({ text }) => text),
  };
}
