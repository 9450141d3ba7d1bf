import type { DataFrame } from '@grafana/data';

/** Something that happened at a time, or from a time to another. */
export interface Annotation {
  time: number;
  timeEnd?: number;
  text: string;
  tags: string[];
  /** A CSS colour, or the name of one in the theme. */
  colour?: string;
  /** What else its source says of it: of a release which one it is, see strip/versions.ts. */
  about?: unknown;
  /** Whether it is told elsewhere in the panel, so that its text need not be written in the plots. */
  isTold?: boolean;
}

/** Reads annotation frames; exemplars, which come in frames of the same topic, are left out. */
export function readAnnotations(frames: DataFrame[]): Annotation[] {
  return frames
    .filter((frame) => frame.name !== 'exemplar')
    .flatMap((frame) => {
      const value = (name: string, i: number) => frame.fields.find((field) => field.name === name)?.values[i];
      return Array.from({ length: frame.length }, (_, i) => ({
        time: value('time', i),
        timeEnd: value('timeEnd', i) ?? undefined,
        text: [value('title', i), value('text', i)].filter(Boolean).join(': '),
        tags: tagsOf(value('tags', i)),
        colour: value('color', i) ?? undefined,
        about: value('data', i) ?? undefined,
      }));
    })
    .filter((annotation) => Number.isFinite(annotation.time))
    .sort((a, b) => a.time - b.time);
}

/** Grafana makes a list of tags; a query that returns annotations has text with commas. */
function tagsOf(tags: unknown): string[] {
  return Array.isArray(tags) ? tags : typeof tags === 'string' ? tags.split(',').filter(Boolean) : [];
}
