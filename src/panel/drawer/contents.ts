import { createDataFrame, type DataFrame, FieldType } from '@grafana/data';
import type { Arm } from '../difference/arms';
import type { GridGoroutine } from '../heat';

/** What the back end says of a table in meta.custom; and of which side of a comparison it is. */
export interface PartMeta {
  dimension?: string;
  count?: number;
  others?: boolean;
  arm?: Arm;
}

/** A table of what is in a cell. */
export interface Section {
  title: string;
  frame: DataFrame;
  /** Its rows, as they are to be shown. */
  rows: number[];
  /** The row of all values that have no row of their own. */
  others?: number;
  /** The field whose links are those of the row. */
  primary: string;
  notices: string[];
}

/** What is in a cell. */
export interface Contents {
  /** Dimensions in which all hits are alike. */
  facts: Array<{ name: string; dimension: string; value: string }>;
  sections: Section[];
}

const names: Record<string, string> = {
  node: 'NUMA node',
  cpu: 'CPU',
  function: 'Start function',
  label: 'pprof label',
  depth: 'Depth in the kernel',
};

/** What a dimension is called in a heading. */
export const nameOf = (dimension: string) => names[dimension] ?? dimension.charAt(0).toUpperCase() + dimension.slice(1);

/** Reads the answer to a query of kind cell: a table for each dimension, then goroutines, then exemplars. */
export function readContents(frames: DataFrame[]): Contents {
  const contents: Contents = { facts: [], sections: [] };
  for (const frame of frames) {
    const { dimension, others, arm }: PartMeta = frame.meta?.custom ?? {};
    const whose = arm ? ` of the ${arm}` : '';
    const notices = (frame.meta?.notices ?? []).map(({ text }) => text);
    const rows = Array.from({ length: frame.length }, (_, i) => i);
    const valuesOf = (name: string) => frame.fields.find((field) => field.name === name)?.values ?? [];
    if (dimension) {
      const isAlike = rows.length === 1 && !others && valuesOf('value')[0] !== '';
      if (isAlike) {
        contents.facts.push({ name: nameOf(dimension), dimension, value: valuesOf('value')[0] });
      }
      if (!isAlike || notices.length > 0) {
        contents.sections.push({
          title: nameOf(dimension),
          frame,
          rows,
          others: others ? rows.length - 1 : undefined,
          primary: 'value',
          notices,
        });
      }
    } else if (frame.name === 'goroutines') {
      contents.sections.push({ title: `Goroutines${whose}`, frame, rows, primary: 'goroutine', notices });
    } else if (frame.name === 'exemplars') {
      const value = valuesOf('value');
      rows.sort((a, b) => value[b] - value[a]);
      contents.sections.push({ title: `Greatest hits${whose}`, frame, rows, primary: 'traceID', notices });
    }
  }
  return contents;
}

/** The goroutines that a grid names in a cell, as the same table that is asked for elsewhere. */
export function goroutinesFrame(goroutines: GridGoroutine[]): DataFrame {
  const text = (name: string, values: string[]) => ({ name, type: FieldType.string, values });
  return createDataFrame({
    name: 'goroutines',
    fields: [
      text(
        'goroutine',
        goroutines.map(({ goid }) => goid)
      ),
      {
        ...text(
          'function',
          goroutines.map((g) => g.function)
        ),
        config: { displayNameFromDS: 'start function' },
      },
      text(
        'label',
        goroutines.map(({ label }) => label ?? '')
      ),
      text(
        'process',
        goroutines.map(({ process }) => process)
      ),
      {
        name: 'count',
        type: FieldType.number,
        values: goroutines.map(({ count }) => count),
        config: { unit: 'short' },
      },
    ],
  });
}
