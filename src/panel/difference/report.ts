import { formattedValueToString, getValueFormat } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { detailsOf } from './arms';
import type { Report, SideReport } from './comparison';

/** The figures of both sides, in a table: a line for each side, the baseline first, and one for what is between them. */
export interface Figures {
  columns: string[];
  lines: Array<{ name: string; title: string; cells: string[] }>;
}

/** What a comparison has found, in numbers. */
export function figuresOf({ unit, baseline, candidate, distance, ...report }: Report, timeZone: TimeZone): Figures {
  const write = (value: number | undefined) =>
    value === undefined ? '–' : formattedValueToString(getValueFormat(unit)(value));
  const line = (name: string, side: SideReport) => ({
    name: `${name}: ${side.label}`,
    title: detailsOf(side, timeZone),
    cells: [write(side.p50), write(side.p99), write(side.max), count(side.n), String(side.blocks)],
  });
  const figures: Figures = {
    // Of what was refused early there are none.
    columns: [
      'p50',
      'p99',
      'max',
      'hits',
      report.blockSeconds > 0 ? `blocks of ${spell(report.blockSeconds)}` : 'blocks',
    ],
    lines: [line('Baseline', baseline), line('Candidate', candidate)],
  };
  if (!report.refused) {
    const change = (before?: number, after?: number) => (before && after ? percent(after / before) : '–');
    figures.lines.push({
      name: 'Change',
      title: `Candidate less baseline. Values moved by a factor of ${Math.exp(distance).toFixed(3)} (log-Wasserstein distance ${signed(distance)})`,
      cells: [
        change(baseline.p50, candidate.p50),
        change(baseline.p99, candidate.p99),
        change(baseline.max, candidate.max),
        // The sides need not have run for as long.
        '',
        '',
      ],
    });
  }
  return figures;
}

/** How far apart the sides are as a whole, and in how many cells; undefined where they were not compared. */
export function verdictOf({
  refused,
  distance,
  distanceP,
  significantCells,
  cells,
  level,
}: Report): string | undefined {
  return refused
    ? undefined
    : `distance ${signed(distance)} (${percent(Math.exp(distance))}, p ${probability(distanceP)}); ` +
        `${significantCells} of ${cells} cells significant (q ≤ ${level})`;
}

const count = (n: number) => formattedValueToString(getValueFormat('short')(n));

/** A p-value, as exactly as it is of use. */
const probability = (p: number) => (p < 0.001 ? '< 0.001' : p.toFixed(3));

const signed = (value: number) => `${value > 0 ? '+' : ''}${value.toFixed(3)}`;

/** A factor as a change: 1.25 is +25 %. */
function percent(factor: number): string {
  const change = 100 * (factor - 1);
  const digits = Math.abs(change) < 10 ? 1 : 0;
  return `${change > 0 ? '+' : ''}${change.toFixed(digits)} %`;
}

function spell(seconds: number): string {
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
