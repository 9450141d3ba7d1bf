import type { Query } from './query.gen';

/** The type of a profile where the query names none. */
export const cpu = 'cpu';

const ofProfiles: Array<Query['kind']> = ['flame', 'top', 'profile', 'profile-heat', 'stages'];

/** Whether a query of this kind is about a profile, and not a measurement point. */
export const isOfProfile = (kind: Query['kind']) => ofProfiles.includes(kind);

/** The values that each sample of a profile has, as Go's runtime names them. A program's own profiles may have any. */
export function sampleTypesOf(type: string): string[] {
  switch (type) {
    case cpu:
      return ['samples', 'cpu'];
    case 'heap':
    case 'allocs':
      return ['inuse_space', 'inuse_objects', 'alloc_space', 'alloc_objects'];
    case 'mutex':
    case 'block':
      return ['delay', 'contentions'];
    default:
      return [];
  }
}
