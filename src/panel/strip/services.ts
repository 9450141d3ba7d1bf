import type { DataFrame } from '@grafana/data';
import type { Annotation } from '../annotations';
import { serviceOf } from './versions';

/**
 * The annotations without releases of services that the frames are not of.
 * Frames that do not say of which they are, in `meta.custom.services`, may be
 * of any: so all of them must say it.
 */
export function ofShownServices(annotations: Annotation[], frames: DataFrame[]): Annotation[] {
  const said = frames.map((frame) => frame.meta?.custom?.services as unknown);
  if (said.length === 0 || !said.every(Array.isArray)) {
    return annotations;
  }
  const shown = new Set(said.flat());
  return annotations.filter((annotation) => {
    const service = serviceOf(annotation);
    return !service || shown.has(service);
  });
}
