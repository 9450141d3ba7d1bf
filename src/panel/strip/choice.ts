import type { AbsoluteTimeRange } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import type { Annotation } from '../annotations';
import { describeTimes } from '../words';
import { taggedVersion, type Version } from './versions';

/** One side of a comparison, as a user chose it. */
export type Side =
  | { kind: 'version'; service: string; version: string }
  /** A window of time; one that ends at Infinity ends when the panel's range does. */
  | { kind: 'window'; from: number; to: number; name?: string };

/** What a user wants to see compared: nothing, a baseline that still lacks its candidate, or both. */
export interface Choice {
  baseline?: Side;
  candidate?: Side;
}

/** One side as the data source is asked for it: see Arm in pkg/datasource/query. */
export interface Arm {
  version?: string;
  from?: number;
  to?: number;
}

/**
 * The choice after one more side was chosen: the first is the baseline, the
 * second the candidate, and a third begins anew. The baseline chosen again is
 * given up. Versions of two services do not compare: the other one begins anew.
 */
export function choose({ baseline, candidate }: Choice, side: Side): Choice {
  if (!baseline || candidate || isOtherService(baseline, side)) {
    return { baseline: side };
  }
  return isSame(baseline, side) ? {} : { baseline, candidate: side };
}

/** Whether two sides are the same. */
export function isSame(a: Side | undefined, b: Side): boolean {
  if (a?.kind === 'version' && b.kind === 'version') {
    return a.service === b.service && a.version === b.version;
  }
  return a?.kind === 'window' && b.kind === 'window' && a.from === b.from && a.to === b.to;
}

const isOtherService = (a: Side, b: Side) => a.kind === 'version' && b.kind === 'version' && a.service !== b.service;

/** A version as a side. Of one that no agent saw the data source knows no hits: it is the time in which it ran. */
export function sideOfVersion({ service, version, from, to, agents }: Version): Side {
  return agents.length > 0 ? { kind: 'version', service, version } : { kind: 'window', from, to, name: version };
}

/** An annotation as a side: the time that it says, else from when it is until the next one. */
export function sideOfAnnotation({ time, timeEnd, text, tags }: Annotation, all: Annotation[]): Side {
  const end = timeEnd && timeEnd > time ? timeEnd : Math.min(...all.map((a) => a.time).filter((t) => t > time));
  return { kind: 'window', from: time, to: end, name: taggedVersion(tags) ?? text };
}

/** What the data source is asked for. A window keeps to the range: nothing is known of what is to come. */
export function armOf(side: Side, range: AbsoluteTimeRange): Arm {
  return side.kind === 'version'
    ? { version: side.version }
    : { from: Math.round(side.from), to: Math.round(Math.min(side.to, Math.max(range.to, side.from + 1))) };
}

/** What a side is called. */
export function nameOfSide(side: Side, range: AbsoluteTimeRange, timeZone: TimeZone): string {
  if (side.kind === 'version') {
    return side.version;
  }
  return side.name || describeTimes({ from: side.from, to: Math.min(side.to, range.to) }, timeZone);
}
