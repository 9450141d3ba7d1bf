// What the page shows is in its address, so that a reload, the back button and
// a link show the same.
import { useCallback, useEffect, useState } from 'react';
import { locationService } from '@grafana/runtime';
import { Value, Values } from './templates';

export interface Address {
  dashboard?: string;
  from?: string;
  to?: string;
  /** How often to ask anew, such as 5s; as the dashboard says when not set. */
  refresh?: string;
  theme: 'dark' | 'light';
  /** Whether panels stream and refresh. */
  live: boolean;
  variables: Values;
}

function read(): Address {
  const params = new URLSearchParams(window.location.search);
  const variables: Values = {};
  for (const name of params.keys()) {
    if (name.startsWith('var-')) {
      variables[name.slice(4)] = params.getAll(name);
    }
  }
  return {
    dashboard: params.get('dashboard') ?? undefined,
    from: params.get('from') ?? undefined,
    to: params.get('to') ?? undefined,
    refresh: params.get('refresh') ?? undefined,
    theme: params.get('theme') === 'light' ? 'light' : 'dark',
    live: params.get('live') !== 'off',
    variables,
  };
}

function write({ dashboard, from, to, refresh, theme, live, variables }: Address): string {
  const params = new URLSearchParams();
  const set = (name: string, value?: string) => value && params.set(name, value);
  set('dashboard', dashboard);
  set('from', from);
  set('to', to);
  set('refresh', refresh);
  set('theme', theme === 'light' ? theme : undefined);
  set('live', live ? undefined : 'off');
  for (const [name, value] of Object.entries(variables)) {
    [value].flat().forEach((v: Value) => params.append(`var-${name}`, String(v)));
  }
  return `?${params}`;
}

/** The address, and how to change a part of it. */
export function useAddress(): [Address, (part: Partial<Address>) => void] {
  const [address, setAddress] = useState(read);
  // Panels set variables by the same service.
  useEffect(() => locationService.getHistory().listen(() => setAddress(read())), []);
  const change = useCallback((part: Partial<Address>) => {
    locationService.push({ search: write({ ...read(), ...part }) });
  }, []);
  return [address, change];
}
