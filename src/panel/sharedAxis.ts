import { useCallback, useEffect, useId, useMemo, useSyncExternalStore } from 'react';
import type { Extent } from './scale';

/**
 * The value axes that panels share. Grafana has nothing that panels could share
 * an axis by, so they do it here: those of one dashboard that name the same
 * group tell each other what they need, and all show what all of them need.
 * Panels on other pages, and in other tabs, know nothing of it.
 */
const groups = new Map<string, Map<string, Extent>>();
const listeners = new Set<() => void>();

/** What all of a group need, on a scale of one kind; undefined when none says anything. */
export function sharedExtent(group: string, kind: Extent['kind']): { min: number; max: number } | undefined {
  const needed = [...(groups.get(group)?.values() ?? [])].filter((extent) => extent.kind === kind);
  return needed.length > 0
    ? { min: Math.min(...needed.map(({ min }) => min)), max: Math.max(...needed.map(({ max }) => max)) }
    : undefined;
}

/** Says what a member of a group needs; undefined: it is a member no more. */
export function say(group: string, member: string, extent: Extent | undefined) {
  const members = groups.get(group) ?? new Map<string, Extent>();
  if (extent) {
    groups.set(group, members.set(member, extent));
  } else if (members.delete(member) && members.size === 0) {
    groups.delete(group);
  }
  listeners.forEach((listener) => listener());
}

const listen = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};

/**
 * The axis that a panel shows: its own, or, in a group, one that reaches as far
 * as those of all its members of the same kind. Buckets that are counted are
 * other ones in each panel, and are not shared.
 */
export function useSharedAxis(own: Extent, group: string | undefined): Extent {
  const member = useId();
  const { kind, min, max } = own;
  const isShared = group !== undefined && kind !== 'ordinal';
  useEffect(() => {
    if (isShared) {
      say(group, member, { kind, min, max });
    }
  }, [isShared, group, member, kind, min, max]);
  // Not with each change: the others would shrink and grow again.
  useEffect(() => (isShared ? () => say(group, member, undefined) : undefined), [isShared, group, member]);
  // A text, so that it is the same as long as it says the same.
  const told = useSyncExternalStore(
    listen,
    useCallback(() => (isShared ? JSON.stringify(sharedExtent(group, kind)) : undefined), [isShared, group, kind])
  );
  return useMemo(() => (told ? { ...own, ...(JSON.parse(told) as { min: number; max: number }) } : own), [own, told]);
}
