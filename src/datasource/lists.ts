import { useEffect, useState } from 'react';
import type { ComboboxOption } from '@grafana/ui';

/** All dimensions there are, in the order of display; a measurement point has some of them. */
export const dimensions = [
  'service',
  'version',
  'process',
  'node',
  'cpu',
  'reason',
  'function',
  'route',
  'label',
  'depth',
];

/** What a promise came to: neither while it is under way. Pass the same promise as long as it is the same question. */
export function useLoaded<T>(promise: Promise<T>): { value?: T; problem?: string } {
  const [loaded, setLoaded] = useState<{ value?: T; problem?: string }>({});
  useEffect(() => {
    let wanted = true;
    promise.then(
      (value) => wanted && setLoaded({ value }),
      (error) => wanted && setLoaded({ problem: problemOf(error) })
    );
    return () => {
      wanted = false;
    };
  }, [promise]);
  return loaded;
}

/** The text of a failed resource call: what the back end said, if it said anything. */
export function problemOf(error: unknown): string {
  const { data, message } = (error ?? {}) as { data?: { error?: string; message?: string }; message?: string };
  return data?.error ?? data?.message ?? message ?? 'the back end does not answer';
}

/** Options of a list that a person may add to. */
export function optionsOf(known: string[], chosen: string[] = []): Array<ComboboxOption<string>> {
  return [...new Set([...known, ...chosen])].map((value) => ({ value, label: value === '' ? '(none)' : value }));
}
