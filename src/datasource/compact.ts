import type { DataQueryRequest } from '@grafana/data';
import type { HeatQuery } from './DataSource';

/** The panel that reads compact frames: ours. */
const panel = 'gotherm-heatmap-panel';

/**
 * Asks for compact frames where our panel asks. All others get plain ones:
 * other panels, Explore, alert rules and expressions (which do not pass here),
 * and public dashboards. It is said in the query, so that caches of answers
 * keep the two apart.
 */
export function compactly(request: DataQueryRequest<HeatQuery>): DataQueryRequest<HeatQuery> {
  const compact = request.panelPluginId === panel || undefined;
  return { ...request, targets: request.targets.map((target) => ({ ...target, compact })) };
}
