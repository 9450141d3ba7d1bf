import { useCallback, useEffect, useRef } from 'react';
import { getTemplateSrv } from '@grafana/runtime';
import type { DataSource } from './DataSource';
import { optionsOf } from './lists';

/** What values are asked for: see [DataSource.values]. */
type Question = Parameters<DataSource['values']>[1];

/**
 * What a box offers as values of a dimension, by what is typed in it: some that
 * always are there, those that the data source knows, and the dashboard's variables.
 */
export function useValueSearch(datasource: DataSource, dimension: string, question: Question, always = none) {
  // The box waits for a pause in the typing only as long as the function is the same.
  const asked = useRef(question);
  useEffect(() => {
    asked.current = question;
  });
  return useCallback(
    async (typed: string) => {
      const known = await datasource.values(dimension, asked.current).catch(() => []);
      const variables = getTemplateSrv()
        .getVariables()
        .map((variable) => `$${variable.name}`);
      const all = [...always, ...known, ...variables];
      return optionsOf(all.filter((text) => text.toLowerCase().includes(typed.toLowerCase())));
    },
    [datasource, dimension, always]
  );
}

const none: string[] = [];
