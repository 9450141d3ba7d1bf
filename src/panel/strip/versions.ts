import type { AbsoluteTimeRange } from '@grafana/data';
import type { Annotation } from '../annotations';

/** A version of a service, and when it ran. */
export interface Version {
  /** '' where an annotation does not say it. */
  service: string;
  version: string;
  /** When it was first seen, in milliseconds since the epoch. */
  from: number;
  /** When it ended; Infinity while it runs. */
  to: number;
  revision?: string;
  goVersion?: string;
  /** The agents that saw it: none where somebody said it in an annotation. */
  agents: string[];
}

/** What our data source says of a release in the field `data` of its annotation: see pkg/frames/releases.go. */
interface AboutRelease {
  service: string;
  version: string;
  revision?: string;
  goVersion?: string;
  lastSeen?: number;
  agents: string[];
}

/**
 * The versions that annotations tell of, in the order in which they began:
 *
 *  - releases that agents saw, as our data source says them;
 *  - annotations of anybody with a tag `version:X`, or `release` whose text is
 *    the version then, and perhaps `service:Y`. One without an end lasts until
 *    the next of its service begins.
 *
 * What was both seen and said is as it was seen.
 */
export function versionsOf(annotations: Annotation[]): Version[] {
  const known = new Set<string>();
  const isNew = (version: Version) => !known.has(identity(version)) && known.add(identity(version));
  const seen = annotations
    .flatMap(({ time, about }) => (isRelease(about) ? [seenVersion(time, about)] : []))
    .filter(isNew);
  const said = annotations
    .flatMap((annotation) => (isRelease(annotation.about) ? [] : (saidVersion(annotation) ?? [])))
    .filter((version) => !known.has(identity(version)));
  said.sort((a, b) => a.from - b.from);
  said.forEach((version, i) => {
    if (version.to === version.from) {
      version.to = said.find((other, j) => j > i && other.service === version.service)?.from ?? Infinity;
    }
  });
  return [...seen, ...said].sort((a, b) => a.from - b.from || (a.version < b.version ? -1 : 1));
}

/** The same annotations, of which those are told that a strip of versions shows. */
export function told(annotations: Annotation[]): Annotation[] {
  return annotations.map((annotation) =>
    isRelease(annotation.about) || saidVersion(annotation) ? { ...annotation, isTold: true } : annotation
  );
}

/** Of which service an annotation says that a version began: undefined where it says no version, '' where no service. */
export const serviceOf = (annotation: Annotation) =>
  isRelease(annotation.about) ? annotation.about.service : saidVersion(annotation)?.service;

/** Tells versions apart. */
export const identity = ({ service, version }: Pick<Version, 'service' | 'version'>) =>
  JSON.stringify([service, version]);

function isRelease(about: unknown): about is AboutRelease {
  const { service, version, agents } = (about ?? {}) as Partial<AboutRelease>;
  return typeof service === 'string' && typeof version === 'string' && Array.isArray(agents);
}

function seenVersion(from: number, { service, version, revision, goVersion, lastSeen, agents }: AboutRelease): Version {
  return { service, version, from, to: lastSeen ?? Infinity, revision, goVersion, agents };
}

function saidVersion({ time, timeEnd, text, tags }: Annotation): Version | undefined {
  const version = taggedVersion(tags) ?? (tags.includes('release') ? text : undefined);
  return version
    ? { service: tagged(tags, 'service') ?? '', version, from: time, to: timeEnd ?? time, agents: [] }
    : undefined;
}

const tagged = (tags: string[], key: string) => tags.find((tag) => tag.startsWith(`${key}:`))?.slice(key.length + 1);

/** The version that tags say. */
export const taggedVersion = (tags: string[]) => tagged(tags, 'version');

/** The versions of one service that ran in a range, and where each is drawn. */
export interface Lane {
  service: string;
  versions: Drawn[];
}

/** One version in its lane. */
export interface Drawn {
  version: Version;
  /** From the left, one for each stretch of time in which the same versions ran. */
  pieces: Piece[];
}

/** Of a lane a part in time, and in height where it is shared: part `slot` of `slots`, from the top. */
export interface Piece extends AbsoluteTimeRange {
  slot: number;
  slots: number;
}

/**
 * Lays out versions in a range, a lane for each service. Where several of a
 * service run at once, as during a rollout, they share the height of the lane,
 * the older above.
 */
export function lanesOf(versions: Version[], range: AbsoluteTimeRange): Lane[] {
  const lanes = new Map<string, Version[]>();
  for (const version of versions) {
    if (version.from < range.to && version.to > range.from) {
      lanes.set(version.service, [...(lanes.get(version.service) ?? []), version]);
    }
  }
  return [...lanes].map(([service, running]) => {
    const within = (time: number) => Math.min(range.to, Math.max(range.from, time));
    const ends = running.flatMap(({ from, to }) => [within(from), within(to)]);
    const times = [...new Set(ends)].sort((a, b) => a - b);
    const pieces = running.map((): Piece[] => []);
    for (let i = 0; i + 1 < times.length; i++) {
      const [from, to] = [times[i], times[i + 1]];
      const together = running.flatMap((v, n) => (v.from < to && v.to > from ? [n] : []));
      together.forEach((n, slot) => pieces[n].push({ from, to, slot, slots: together.length }));
    }
    return { service, versions: running.map((version, n) => ({ version, pieces: joined(pieces[n]) })) };
  });
}

/** Joins pieces that lie side by side at the same height. */
function joined(pieces: Piece[]): Piece[] {
  const result: Piece[] = [];
  for (const piece of pieces) {
    const last = result[result.length - 1];
    if (last && last.to === piece.from && last.slot === piece.slot && last.slots === piece.slots) {
      last.to = piece.to;
    } else {
      result.push({ ...piece });
    }
  }
  return result;
}

/** The piece with the most room for a name: the highest, and of those the longest. */
export function roomiest(pieces: Piece[]): Piece | undefined {
  return [...pieces].sort((a, b) => a.slots - b.slots || b.to - b.from - (a.to - a.from))[0];
}

/**
 * A name that fits in a width: all of it, else its beginning, with three
 * letters or more; else ''. `measure` tells the width of a text.
 */
export function fitted(name: string, width: number, measure: (text: string) => number): string {
  if (measure(name) <= width) {
    return name;
  }
  for (let length = name.length - 1; length >= 3; length--) {
    const text = `${name.slice(0, length)}…`;
    if (measure(text) <= width) {
      return text;
    }
  }
  return '';
}

/**
 * A number for each version from 0 to `colours` - 1: the same whenever the
 * same versions are shown, and never that of the version before it in its lane.
 */
export function colourNumbers({ versions }: Lane, colours: number): number[] {
  let before = -1;
  return versions.map(({ version: { version } }) => {
    let number = 0;
    for (const letter of version) {
      number = (number * 31 + letter.charCodeAt(0)) % colours;
    }
    before = number === before ? (number + 1) % colours : number;
    return before;
  });
}
