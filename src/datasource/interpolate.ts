import type { InterpolateFunction, ScopedVars } from '@grafana/data';
import type { Arm, Profile, Query } from './query.gen';

/**
 * What a variable's "All" should stand for (its custom all value). The values
 * that are listed are those there were when they were listed; this also keeps
 * a process that has begun since.
 */
const everything = '*';

/**
 * Replaces the variables of a query. In lists, a text that is one variable
 * stands for all of its values. A matcher that has no values left to keep, or
 * that keeps everything, is left out, as the back end has it.
 */
export function interpolate<Q extends Query>(query: Q, values: (text: string) => string[]): Q {
  const first = (text: string | undefined) => text && values(text)[0];
  const all = (texts: string[] | undefined) => texts && texts.flatMap(values).filter(Boolean);
  // A value that is written as nothing is that of hits of which it is not known; a variable's is no value.
  const kept = (texts: string[] | undefined) =>
    texts?.flatMap((text) => (text === '' ? [''] : values(text).filter(Boolean))) ?? [];
  const arm = (side: Arm): Arm => (side.version ? { ...side, version: first(side.version) } : side);
  const side = ({ base, ...own }: Profile): Profile => ({
    ...own,
    ...(own.target && { target: first(own.target) }),
    ...(own.process && { process: first(own.process) }),
    ...(own.service && { service: first(own.service) }),
    ...(own.type && { type: first(own.type) }),
    ...(own.function && { function: first(own.function) }),
    ...(own.label && { label: first(own.label) }),
    ...(base && { base: side(base) }),
  });
  return {
    ...query,
    ...(query.profile && { profile: side(query.profile) }),
    ...(query.baseline && { baseline: arm(query.baseline) }),
    ...(query.candidate && { candidate: arm(query.candidate) }),
    pom: first(query.pom),
    legend: first(query.legend),
    ...(query.y && { y: first(query.y) }),
    groupBy: all(query.groupBy),
    statistics: all(query.statistics),
    matchers: query.matchers
      ?.map((matcher) => ({ dimension: first(matcher.dimension) ?? '', values: kept(matcher.values) }))
      // Without a dimension or values it is still being written.
      .filter((matcher) => matcher.dimension && matcher.values.length > 0 && !matcher.values.includes(everything)),
  };
}

const separator = '\u0000';

/** The values that a text with variables stands for, as Grafana replaces them. */
export function expand(text: string, variables: ScopedVars | undefined, replace: InterpolateFunction): string[] {
  const join = (value: string | string[]) => (Array.isArray(value) ? value.join(separator) : value);
  return replace(text, variables, join).split(separator);
}
