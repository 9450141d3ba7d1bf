import { useCallback, useMemo, useState } from 'react';
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
  /** The side that is being dragged from. */
  grabbed?: Side;
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
  const [grabbed, setGrabbed] = useState<Side>();

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
    setGrabbed(side);
    // Whether or not it ends on another side.
    const ends = ['pointerup', 'pointercancel'];
    const end = () => {
      setGrabbed(undefined);
      ends.forEach((name) => document.removeEventListener(name, end));
    };
    ends.forEach((name) => document.addEventListener(name, end));
  }, []);
  const drop = useCallback(
    (side: Side) => {
      if (grabbed && !isSame(grabbed, side)) {
        settle(choose({ baseline: grabbed }, side));
      }
    },
    [grabbed, settle]
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
      grabbed,
      grab,
      drop,
      clear,
    };
  }, [canCompare, choice, baseline, candidate, chooseOne, grabbed, grab, drop, clear]);
}

function hasVariables(): boolean {
  const names = getTemplateSrv()
    .getVariables()
    .map(({ name }) => name);
  return variables.every((name) => names.includes(name));
}

/** What it means to choose a side now. */
export function nextStep({ choice, grabbed }: Choosing, side: Side): string {
  if (grabbed) {
    return isSame(grabbed, side)
      ? 'The baseline: drag on to the candidate'
      : 'Drop here to compare it with the baseline';
  }
  if (!choice.baseline || choice.candidate) {
    return 'Choose it as the baseline';
  }
  return isSame(choice.baseline, side) ? 'The baseline: now choose the candidate' : 'Compare it with the baseline';
}
