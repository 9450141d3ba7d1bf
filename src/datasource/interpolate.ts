import type { Query } from './query.gen';

/**
 * Replaces the variables of a query. In lists, a text that is one variable
 * stands for all of its values. A matcher that has no values left to keep
 * keeps everything, as the back end has it.
 */
export function interpolate<Q extends Query>(query: Q, values: (text: string) => string[]): Q {
  const first = (text: string | undefined) => text && values(text)[0];
  const all = (texts: string[] | undefined) => texts && texts.flatMap(values).filter(Boolean);
  return {
    ...query,
    pom: first(query.pom),
    legend: first(query.legend),
    groupBy: all(query.groupBy),
    statistics: all(query.statistics),
    matchers: query.matchers
      ?.map(({ dimension, values: kept }) => ({ dimension: first(dimension) ?? '', values: all(kept) ?? [] }))
      // One that is still being written.
      .filter(({ dimension, values: kept }) => dimension && kept.length > 0),
  };
}
