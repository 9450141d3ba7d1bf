import { useCallback, useMemo, useRef, useState } from 'react';
import type { DataQueryRequest } from '@grafana/data';
import { getTemplateSrv, locationService } from '@grafana/runtime';
import { type Choice, choose, isSame, type Side } from './choice';
import { comparableQuery } from './useComparison';

/** Variables of a dashboard that say for all its panels which versions are compared. */
const variables = ['baseline', 'candidate'] as const;

/** How a user chooses what is compared. */
export interface Choosing {
  choice: Choice;
  /** Versions, or what stands for them, that the dashboard's variables name. */
  variables?: { baseline: string; candidate: string };
  /** Chooses one side: by a click, or by Enter. */
  choose: (side: Side) => void;
  /** Begins to drag from one side, and ends on another: it is compared with the first. */
  grab: (side: Side) => void;
  drop: (side: Side) => void;
  clear: () => void;
}

/**
 * Keeps what a user chose to compare. It lasts as long as the panel is shown
 * and is written nowhere, unless the dashboard has variables for it: those are
 * set then, and panels whose queries use them follow. It is undefined where the
 * panel asks for nothing that can be compared.
 */
export function useChoosing(
  request: DataQueryRequest | undefined,
  replaceVariables: (text: string) => string
): Choosing | undefined {
  const canCompare = useMemo(() => comparableQuery(request) !== undefined, [request]);
  const [choice, setChoice] = useState<Choice>({});
  const grabbed = useRef<Side>(undefined);

  const settle = useCallback((next: Choice) => {
    const { baseline, candidate } = next;
    if (baseline?.kind === 'version' && candidate?.kind === 'version' && hasVariables()) {
      locationService.partial({ 'var-baseline': baseline.version, 'var-candidate': candidate.version });
      setChoice({});
      return;
    }
    setChoice(next);
  }, []);

  const chooseOne = useCallback((side: Side) => settle(choose(choice, side)), [choice, settle]);
  const grab = useCallback((side: Side) => {
    grabbed.current = side;
    // Whether or not it ends on another side.
    document.addEventListener('pointerup', () => (grabbed.current = undefined), { once: true });
  }, []);
  const drop = useCallback(
    (side: Side) => {
      const from = grabbed.current;
      if (from && !isSame(from, side)) {
        settle(choose({ baseline: from }, side));
      }
    },
    [settle]
  );
  const clear = useCallback(() => setChoice({}), []);

  const [baseline, candidate] = hasVariables() ? variables.map((name) => replaceVariables(`\${${name}}`)) : [];
  return useMemo(() => {
    if (!canCompare) {
      return undefined;
    }
    return {
      choice,
      variables: baseline && candidate ? { baseline, candidate } : undefined,
      choose: chooseOne,
      grab,
      drop,
      clear,
    };
  }, [canCompare, choice, baseline, candidate, chooseOne, grab, drop, clear]);
}

function hasVariables(): boolean {
  const names = getTemplateSrv()
    .getVariables()
    .map(({ name }) => name);
  return variables.every((name) => names.includes(name));
}

/** What it means to choose a side now. */
export function nextStep({ choice }: Choosing, side: Side): string {
  if (!choice.baseline || choice.candidate) {
    return 'Choose it as the baseline';
  }
  return isSame(choice.baseline, side) ? 'The baseline: now choose the candidate' : 'Compare it with the baseline';
}
