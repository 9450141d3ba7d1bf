import {
  type AnnotationSupport,
  CoreApp,
  type DataQueryRequest,
  type DataSourceInstanceSettings,
  type DataSourceJsonData,
  type ScopedVars,
  StreamingFrameAction,
  type TimeRange,
} from '@grafana/data';
import { config, DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import type { DataQuery } from '@grafana/schema';
import { map } from 'rxjs';
import { mayExplore } from '../explore';
import { compactly } from './compact';
import { expand, interpolate } from './interpolate';
import { isComplete } from './kinds';
import type {
  Matcher,
  Point,
  PointsAnswer,
  ProfilesAnswer,
  ProfileType,
  Query,
  Settings,
  ValuesAnswer,
} from './query.gen';
import { HeatVariables } from './variables';
import { withWayBack } from './wayBack';

/** A query as dashboards keep it. */
export type HeatQuery = DataQuery & Query;

/** The configuration as Grafana keeps it. The bearer token of an agent is the secret `token.<name>`. */
export type HeatSettings = DataSourceJsonData & Settings;

/** Rows that a live frame may grow to: more than the back end puts in one answer. */
const liveRows = 1 << 20;

/** The same of single hits, of which there are at most 2,000 a second: they are seen as they come, and fade. */
const liveEvents = 1 << 17;

/** Asks the back end, which asks the agents. */
export class DataSource extends DataSourceWithBackend<HeatQuery, HeatSettings> {
  annotations: AnnotationSupport<HeatQuery> = {
    getDefaultQuery: () => ({ kind: 'releases' }),
  };

  constructor(settings: DataSourceInstanceSettings<HeatSettings>) {
    super(settings);
    this.variables = new HeatVariables(this);
    // A column has a row for each bucket, so a live frame is longer than the panel has points.
    this.streamOptionsProvider = ({ range, rangeRaw }, { meta }) => ({
      maxLength: meta?.custom?.events ? liveEvents : liveRows,
      action: StreamingFrameAction.Append,
      maxDelta: rangeRaw?.to === 'now' ? range.to.valueOf() - range.from.valueOf() : undefined,
    });
  }

  getDefaultQuery(_: CoreApp): Partial<HeatQuery> {
    return { kind: 'heatmap', pom: 'sched.latency', live: true };
  }

  /** A query that does not say what to measure is not asked. */
  filterQuery(query: HeatQuery): boolean {
    return !query.hide && isComplete(query);
  }

  query(request: DataQueryRequest<HeatQuery>) {
    const answers = super.query(compactly(request));
    return mayExplore(config)
      ? answers.pipe(
          map((answer) => ({ ...answer, data: withWayBack(answer.data, this, request.app === CoreApp.Explore) }))
        )
      : answers;
  }

  applyTemplateVariables(query: HeatQuery, variables: ScopedVars): HeatQuery {
    return interpolate(query, (text) => valuesOf(text, variables));
  }

  /** The measurement points that the agents know. */
  async points(): Promise<Point[]> {
    const answer = await this.getResource<PointsAnswer>('points');
    return answer.points;
  }

  /** The targets that are configured. */
  async targets(): Promise<string[]> {
    const answer = await this.getResource<ValuesAnswer>('targets');
    return answer.values;
  }

  /** The services of which Pyroscope has profiles in a time range, the last hour without one; none where there is no Pyroscope. */
  async services(range?: TimeRange): Promise<string[]> {
    const answer = await this.getResource<ValuesAnswer>(
      'services',
      range && { from: range.from.valueOf(), to: range.to.valueOf() }
    );
    return answer.values;
  }

  /** The profiles that a target serves, or that Pyroscope keeps of a service. */
  async profiles(of: { target: string } | { service: string }): Promise<ProfileType[]> {
    const asked = Object.fromEntries(Object.entries(of).map(([what, name]) => [what, valuesOf(name)[0]]));
    const answer = await this.getResource<ProfilesAnswer>('profiles', asked);
    return answer.profiles;
  }

  /** What a dimension of a measurement point has been in a time range, the last hour without one. */
  async values(
    dimension: string,
    { pom, matchers, range }: { pom?: string; matchers?: Matcher[]; range?: TimeRange }
  ): Promise<string[]> {
    const asked = interpolate({ kind: 'heatmap', pom, matchers }, (text) => valuesOf(text));
    const answer = await this.getResource<ValuesAnswer>('values', {
      dimension,
      ...(asked.pom && { pom: asked.pom }),
      ...(asked.matchers && { matchers: JSON.stringify(asked.matchers) }),
      ...(range && { from: range.from.valueOf(), to: range.to.valueOf() }),
    });
    return answer.values;
  }
}

/** The values that a text with template variables stands for. */
function valuesOf(text: string, variables?: ScopedVars): string[] {
  return expand(text, variables, (...replaced) => getTemplateSrv().replace(...replaced));
}
