import { dateTime, dateTimeFormat, type TimeRange } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import type { Heat } from '../heat';
import type { Choice, Side } from '../strip/choice';
import { describeTimes } from '../words';
import type { Comparison, SideReport } from './comparison';

export type Arm = 'baseline' | 'candidate';

/** The heat of one side, of all series that have some. */
export function heatsOf(comparisons: Comparison[], arm: Arm): Heat[] {
  return comparisons.flatMap((comparison) => comparison[arm] ?? []);
}

/** What a comparison is as a table: its differences; both sides where it was refused, the baseline first. */
export function tableHeats(comparisons: Comparison[]): Heat[] {
  const differences = comparisons.flatMap(({ difference }) => difference ?? []);
  if (differences.length > 0) {
    return differences;
  }
  return (['baseline', 'candidate'] as const).flatMap((arm) =>
    heatsOf(comparisons, arm).map((heat) => ({
      ...heat,
      name: [`${arm === 'baseline' ? 'Baseline' : 'Candidate'}: ${captionOf(comparisons, arm)}`, heat.name].join(', '),
    }))
  );
}

/** The time from the first column of any series to the last. A side has its own: it may lie anywhere. */
export function timeOf(heats: Heat[]): TimeRange {
  const from = dateTime(Math.min(...heats.map(({ x }) => x.from[0])));
  const to = dateTime(Math.max(...heats.map(({ x }) => x.to[x.to.length - 1])));
  return { from, to, raw: { from, to } };
}

/** What a side is called: what was chosen, and what ran where that is not the same. */
export function captionOf(comparisons: Comparison[], arm: Arm): string {
  const labels = comparisons.map(({ report }) => {
    const { label, version } = report[arm];
    return version && !label.includes(version) ? `${label} (${version})` : label;
  });
  return [...new Set(labels)].join(', ');
}

/** What else there is to say of a side: what ran, and when. */
export function detailsOf({ version, goVersions = [], from, to }: SideReport, timeZone: TimeZone): string {
  const ran = [version && `version ${version}`, goVersions.join(' and ')].filter(Boolean).join(', ');
  return [ran, from < to ? describeTimes({ from, to }, timeZone) : ''].filter(Boolean).join('; ');
}

/**
 * The same, with sides called what was chosen: of a window the data source
 * knows only when it is. Two of one name are told apart by when they begin.
 */
export function named(comparisons: Comparison[], { baseline, candidate }: Choice, timeZone: TimeZone): Comparison[] {
  const nameOf = (side?: Side) => (side?.kind === 'window' ? side.name : side?.version);
  const isAmbiguous = nameOf(baseline) === nameOf(candidate);
  const rename = (report: SideReport, side?: Side): SideReport => {
    if (side?.kind !== 'window' || !side.name) {
      return report;
    }
    const from = dateTimeFormat(side.from, { timeZone });
    return { ...report, label: isAmbiguous ? `${side.name} at ${from}` : side.name };
  };
  return comparisons.map(({ report, ...rest }) => ({
    ...rest,
    report: {
      ...report,
      baseline: rename(report.baseline, baseline),
      candidate: rename(report.candidate, candidate),
    },
  }));
}
