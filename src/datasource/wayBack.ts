import {
  createDataFrame,
  type DataFrame,
  type DataLink,
  type DataSourceInstanceSettings,
  FieldType,
  type QueryResultMetaNotice,
} from '@grafana/data';
import { exploreUrl, heatOf } from '../explore';

/** What the back end says of a profile in meta.custom, as far as links need it. */
interface ProfileMeta {
  processes?: string[];
  /** What it covers, in milliseconds since 1970. */
  from?: number;
  to?: number;
  requests?: { count: number };
}

/** What the heat is of that a profile leads to. */
const points = [
  { pom: 'sched.latency', title: 'Heat of its waiting for a CPU', isThere: () => true },
  {
    pom: 'http.request',
    title: 'Heat of its requests',
    isThere: ({ requests }: ProfileMeta) => requests !== undefined,
  },
];

/**
 * Leads from profiles back to the heat of the same processes, at the same time:
 * from the functions of a table by data links. The core flame graph shows no
 * links of fields, so there it is a notice of the panel; and in Explore, which
 * shows no notices, a table of whose profile it is.
 */
export function withWayBack(
  frames: DataFrame[],
  dataSource: Pick<DataSourceInstanceSettings, 'uid' | 'type'>,
  isExplore: boolean
): DataFrame[] {
  return frames.flatMap((frame) => {
    const about: ProfileMeta = frame.meta?.custom ?? {};
    const { processes, from, to } = about;
    if (!processes?.length || from === undefined || to === undefined) {
      return [frame];
    }
    const links: DataLink[] = points
      .filter(({ isThere }) => isThere(about))
      .map(({ pom, title }) => ({ title, url: exploreUrl(dataSource, heatOf(pom, processes), { from, to }) }));
    if (frame.meta?.preferredVisualisationType !== 'flamegraph') {
      const [first, ...others] = frame.fields;
      return [{ ...frame, fields: [{ ...first, config: { ...first.config, links } }, ...others] }];
    }
    if (isExplore) {
      return [frame, whose(frame, processes, { from, to }, links)];
    }
    // A panel shows the last notice of each severity: what there is to say of the profile itself rather than this.
    const notice: QueryResultMetaNotice = {
      severity: 'info',
      text: `${links[0].title}, at the time of the profile`,
      link: links[0].url,
    };
    return [{ ...frame, meta: { ...frame.meta, notices: [notice, ...(frame.meta.notices ?? [])] } }];
  });
}

/** The table of whose profile a flame graph shows. */
function whose(
  { refId }: DataFrame,
  processes: string[],
  times: { from: number; to: number },
  links: DataLink[]
): DataFrame {
  return createDataFrame({
    refId,
    name: 'profiled',
    meta: { preferredVisualisationType: 'table' },
    fields: [
      { name: 'process', type: FieldType.string, values: [processes.join(', ')], config: { links } },
      { name: 'from', type: FieldType.time, values: [times.from] },
      { name: 'to', type: FieldType.time, values: [times.to] },
    ],
  });
}
