import { describe, expect, it } from 'vitest';
import type { Choice, Side } from '../strip/choice';
import { captionOf, named, timeOf } from './arms';
import type { Comparison, Report, SideReport } from './comparison';
import { figuresOf, verdictOf } from './report';

const noon = Date.UTC(2026, 10, 22, 12);
const side = { goVersions: ['go1.26.5'], from: noon, to: noon + 120_000, max: 0.02 };

const report: Report = {
  pom: 'http.request',
  unit: 's',
  per: 'share',
  baseline: { ...side, label: '(previous)', version: 'v1', n: 12_345, blocks: 12, p50: 0.001, p99: 0.004 },
  candidate: { ...side, label: 'v2', version: 'v2', n: 900, blocks: 8, p50: 0.001, p99: 0.005 },
  distance: Math.log(1.25),
  distanceP: 0.0004,
  significantCells: 14,
  cells: 320,
  blockSeconds: 120,
  level: 0.05,
  words: '',
};

it('says both sides in numbers, the baseline first, and what changed between them', () => {
  const { columns, lines } = figuresOf(report, 'utc');
  expect(columns).toEqual(['p50', 'p99', 'max', 'hits', 'blocks of 2 min']);
  expect(lines.map(({ name, cells }) => [name, ...cells])).toEqual([
    ['Baseline: (previous)', '1 ms', '4 ms', '20 ms', '12.3 K', '12'],
    ['Candidate: v2', '1 ms', '5 ms', '20 ms', '900', '8'],
    ['Change', '0.0 %', '+25 %', '0.0 %', '', ''],
  ]);
  expect(lines[0].title).toBe('version v1, go1.26.5; 2026-11-22 12:00:00 – 12:02:00');
});

it('says how far apart the sides are, and in how many cells', () => {
  expect(verdictOf(report)).toBe('distance +0.223 (+25 %, p < 0.001); 14 of 320 cells significant (q ≤ 0.05)');
});

it('has no change to say of where there is none, and no verdict on what was refused', () => {
  const refused = { ...report, refused: 'no hits', candidate: { ...report.candidate, p50: undefined, p99: undefined } };
  expect(figuresOf(refused, 'utc').lines.map(({ cells }) => cells[1])).toEqual(['4 ms', '–']);
  expect(verdictOf(refused)).toBeUndefined();
});

describe('a side that was chosen as a window', () => {
  const window = (name?: string, from = noon): Side => ({ kind: 'window', from, to: from + 60_000, name });
  const captions = (choice: Choice) => {
    const comparisons = named(
      [{ name: '', report: { ...report, candidate: { ...side, label: '12:02 to 12:03' } as SideReport } }],
      choice,
      'utc'
    );
    return [captionOf(comparisons, 'baseline'), captionOf(comparisons, 'candidate')];
  };

  it('is called by its name, with its time told beside it', () => {
    expect(
      captions({ baseline: { kind: 'version', service: 'shop', version: 'v1' }, candidate: window('cache on') })
    ).toEqual(['(previous) (v1)', 'cache on']);
  });

  it('is told by its beginning from another of the same name', () => {
    expect(captions({ baseline: window('deploy'), candidate: window('deploy', noon + 120_000) })).toEqual([
      'deploy at 2026-11-22 12:00:00 (v1)',
      'deploy at 2026-11-22 12:02:00',
    ]);
  });

  it('is called by its time where it has no name', () => {
    expect(captions({ baseline: window('cache off'), candidate: window() })).toEqual([
      'cache off (v1)',
      '12:02 to 12:03',
    ]);
  });
});

it('names what ran where something else was chosen, once for all series', () => {
  const comparisons = [report, report].map((report): Comparison => ({ name: '', report }));
  expect(captionOf(comparisons, 'baseline')).toBe('(previous) (v1)');
  expect(captionOf(comparisons, 'candidate')).toBe('v2');
});

it('shows a side in its own time, of all its series', () => {
  const heat = (from: number, to: number) =>
    ({ x: { from: Float64Array.of(from, from + 10), to: Float64Array.of(from + 10, to) } }) as never;
  const { from, to } = timeOf([heat(1000, 2000), heat(500, 1500)]);
  expect([from.valueOf(), to.valueOf()]).toEqual([500, 2000]);
});
