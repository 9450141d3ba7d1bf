import { type DataFrame, FieldType, formattedValueToString, getFieldDisplayName, type LinkModel } from '@grafana/data';

/** One measurement that is remembered with what it was of. */
export interface Exemplar {
  /** In milliseconds. */
  time: number;
  /** In the unit of the value axis. */
  value: number;
  /** What else is known of it: its trace, goroutine, function, labels. */
  facts: Array<{ name: string; text: string }>;
  /** Where its trace is. */
  link?: LinkModel;
}

/** Whether a frame has exemplars: Prometheus calls it "exemplar", our data source "exemplars". */
export function isExemplars({ name, meta }: DataFrame): boolean {
  return name === 'exemplar' || name === 'exemplars' || meta?.custom?.resultType === 'exemplar';
}

/** The most that are drawn: more would hide the heat. */
export const maxExemplars = 200;

/**
 * Reads exemplars: the first field of times is when, the first of numbers what
 * was measured, and the first link of any field leads to what it was of. Of
 * more than [maxExemplars] those with the greatest values are kept.
 */
export function readExemplars(frames: DataFrame[]): Exemplar[] {
  const all = frames.filter(isExemplars).flatMap((frame) => {
    const time = frame.fields.find(({ type }) => type === FieldType.time);
    const value = frame.fields.find(({ type }) => type === FieldType.number);
    if (!time || !value) {
      return [];
    }
    const others = frame.fields.filter((field) => field !== time && field !== value);
    return Array.from({ length: frame.length }, (_, i): Exemplar => ({
      time: time.values[i],
      value: value.values[i],
      facts: others.flatMap((field) => {
        const said = field.values[i];
        const text = field.display && typeof said === 'number' ? formattedValueToString(field.display(said)) : said;
        return said === null || said === undefined || said === ''
          ? []
          : [{ name: getFieldDisplayName(field, frame), text: String(text) }];
      }),
      link: others
        .filter((field) => field.values[i])
        .flatMap((field) => field.getLinks?.({ valueRowIndex: i }) ?? [])
        .at(0),
    }));
  });
  return all
    .filter(({ time, value }) => Number.isFinite(time) && Number.isFinite(value))
    .sort((a, b) => b.value - a.value)
    .slice(0, maxExemplars)
    .sort((a, b) => a.time - b.time);
}
