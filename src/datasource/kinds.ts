import { isOfProfile } from './profiles';
import type { Point, Profile, Query } from './query.gen';

type Kind = Query['kind'];

/** Every kind of query, in the order of display. */
export const kinds: Array<{ value: Kind; label: string; description: string }> = [
  {
    value: 'heatmap',
    label: 'Heatmap',
    description: 'Counts by time and value; of a gauge its value by time and process',
  },
  { value: 'series', label: 'Series', description: 'Quantiles, rates and counts over time; alert rules can use them' },
  {
    value: 'spectrum',
    label: 'Spectrum',
    description: 'Counts by value and another number, such as latency and path depth, over the whole range',
  },
  { value: 'grid', label: 'Goroutine grid', description: 'Heat by goroutine' },
  { value: 'exemplars', label: 'Exemplars', description: 'The greatest hits, with goroutine and trace' },
  {
    value: 'events',
    label: 'Live events',
    description: 'Single hits as they happen, and how many each stands for',
  },
  {
    value: 'processes',
    label: 'Processes',
    description: 'Those that are watched now, what it costs, and what was shed',
  },
  { value: 'releases', label: 'Releases', description: 'When each version was first seen, as annotations' },
  {
    value: 'compare',
    label: 'Comparison',
    description: 'What differs between two versions, windows or queries, with chance and drift allowed for',
  },
  {
    value: 'cell',
    label: 'Cell',
    description: 'What is in a range of time and values: processes, functions, goroutines, requests',
  },
  {
    value: 'flame',
    label: 'Flame graph',
    description: 'A profile by stack; with a base, what is more and what is less',
  },
  { value: 'top', label: 'Top functions', description: 'A profile by function: its own and with all that it called' },
  {
    value: 'profile-heat',
    label: 'Profile heat',
    description: 'Functions by time, of the profiles that agents collect of processes, or Pyroscope keeps of services',
  },
  { value: 'profile', label: 'Profile', description: 'A profile as it is, for go tool pprof' },
  {
    value: 'stages',
    label: 'Stages',
    description: 'Which stage of a program uses CPU and memory, from its execution trace',
  },
];

/** The versions that were first seen last, and last but one, as the back end spells them. */
export const latest = '(latest)';
export const previous = '(previous)';

/** Whether a query of this kind is about a measurement point. */
export const hasPoint = (kind: Kind) => kind !== 'processes' && kind !== 'releases' && !isOfProfile(kind);

/** Whether a query says all that it needs to be asked. */
export const isComplete = ({ kind, pom, matchers, baseline, candidate, profile }: Query) =>
  isOfProfile(kind)
    ? Boolean(profile?.target || profile?.process || profile?.service || matchers?.length || kind === 'profile-heat')
    : !hasPoint(kind) || Boolean(pom) || (kind === 'compare' && Boolean(baseline?.query && candidate?.query));

/** Why there is no such query of a point; undefined where there is. It names the field to change. */
export function misfit(kind: Kind, point: Point | undefined): string | undefined {
  if (!point) {
    return undefined;
  }
  const { name, gauge, unit, numbers, goroutines, exemplars } = point;
  const has = `Measurement point: ${name} has`;
  switch (kind) {
    case 'spectrum':
      if (gauge || unit === '1') {
        return `${has} no durations or bytes, which a spectrum is of`;
      }
      return numbers.length === 0 ? `${has} no dimension that is a number, which a spectrum needs` : undefined;
    case 'grid':
      return goroutines ? undefined : `${has} no goroutines, which a grid is of`;
    case 'exemplars':
      return exemplars ? undefined : `${has} no exemplars: its events carry only a value`;
    case 'events':
      return gauge ? `${has} no hits, which events are: it is a gauge` : undefined;
    case 'compare':
      return gauge ? `${has} no hits, which a comparison is of: it is a gauge` : undefined;
    case 'cell':
      return gauge ? `${has} no hits, which cells are of: it is a gauge` : undefined;
    default:
      return undefined;
  }
}

const ofHits = [
  { value: 'p50' },
  { value: 'p90' },
  { value: 'p99' },
  { value: 'p99.9' },
  { value: 'max' },
  { value: 'mean' },
];
const ofCounts = [
  { value: 'count', description: 'Hits' },
  { value: 'rate', description: 'Hits per second' },
  { value: 'sum' },
];
const share = { value: 'share', description: 'Sum per second: of durations, their share of wall time' };
const ofGauges = [{ value: 'mean' }, { value: 'max' }, { value: 'min' }, { value: 'last' }];

/** The statistics that a point has. Of durations and bytes any other quantile can be typed in. */
export function statisticsOf(point: Point | undefined): Array<{ value: string; description?: string }> {
  if (point?.gauge) {
    return ofGauges;
  }
  return point?.unit === '1' ? ofCounts : [...ofHits, ...ofCounts, share];
}

/** Why a statistic means nothing for a point; undefined when it does. */
export function statisticMisfit(statistics: string[] = [], point: Point | undefined): string | undefined {
  const known = statisticsOf(point).map(({ value }) => value);
  const quantiles = known.includes('p99');
  const wrong = point && statistics.find((text) => !known.includes(text) && !(quantiles && /^p\d/.test(text)));
  return wrong && `Statistics: ${wrong} means nothing for ${point.name}: choose of ${known.join(', ')}`;
}

const usual = (point: Point | undefined) =>
  point?.gauge ? ['mean'] : point?.unit === '1' ? ['rate'] : ['p50', 'p99', 'max'];

/**
 * What else changes when the kind or the point does: what the new one does not
 * have is dropped, and what it needs is chosen.
 */
export function settleOn<Q extends Query>(query: Q, point: Point | undefined): Q {
  const { kind, statistics, y, groupBy } = query;
  const isSeries = kind === 'series';
  const keeps = isSeries && statistics?.length && !statisticMisfit(statistics, point);
  const rows = point?.numbers ?? [];
  // The dimension that only this point has tells most of it: it comes last.
  const row = y && (!point || rows.includes(y)) ? y : rows.at(-1);
  return {
    ...query,
    statistics: isSeries ? (keeps ? statistics : usual(point)) : undefined,
    y: kind === 'spectrum' ? row : undefined,
    groupBy: point ? groupBy?.filter((dimension) => !point.gauge && point.dimensions.includes(dimension)) : groupBy,
    attach: point && !point.onDemand ? undefined : query.attach,
    baseline: kind === 'compare' ? (query.baseline ?? { version: previous }) : undefined,
    candidate: kind === 'compare' ? (query.candidate ?? { version: latest }) : undefined,
    per: kind === 'compare' ? query.per : undefined,
    profile: isOfProfile(kind) ? profileFor(kind, query.profile) : undefined,
  };
}

/** What a kind can use of a profile: stages are of an execution trace, which has no types and is not filtered. */
function profileFor(kind: Kind, profile: Profile = {}): Profile {
  const { target, process, seconds } = profile;
  return kind === 'stages' ? { target, process, seconds } : profile;
}
