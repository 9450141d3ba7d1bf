import { type DataFrame, type Field, FieldType } from '@grafana/data';

/** Frames say something that cannot be drawn as it is said. The message names the frame and the field. */
export class MalformedFrame extends Error {}

export const nameOf = (frame: DataFrame) => `frame ${JSON.stringify(frame.name || frame.refId || '')}`;

export const find = (frame: DataFrame, names: string[]) => frame.fields.find((field) => names.includes(field.name));

export function need(frame: DataFrame, names: string[], types: FieldType[]): Field {
  const field = find(frame, names);
  if (!field) {
    throw new MalformedFrame(`${nameOf(frame)} has no field ${names.join(', ')}; it has ${listOf(frame)}`);
  }
  if (!types.includes(field.type)) {
    throw new MalformedFrame(
      `${nameOf(frame)}: field ${field.name} is of type ${field.type}, must be ${types.join(' or ')}`
    );
  }
  return field;
}

export const listOf = (frame: DataFrame) => frame.fields.map((field) => field.name).join(', ') || 'none';

export function firstNumber(frame: DataFrame, others: Field[]): Field {
  const field = frame.fields.find((f) => f.type === FieldType.number && !others.includes(f));
  if (!field) {
    throw new MalformedFrame(`${nameOf(frame)} has no number field beside ${listOf({ ...frame, fields: others })}`);
  }
  return field;
}

/** The numbers of a field, all of which must be there. */
export function numbers(frame: DataFrame, field: Field, mayBeInfinite: boolean): Float64Array {
  const values = new Float64Array(field.values.length);
  for (let i = 0; i < values.length; i++) {
    const value = field.values[i] as number;
    values[i] = value;
    if (typeof value !== 'number' || !(mayBeInfinite ? !Number.isNaN(value) : Number.isFinite(value))) {
      throw new MalformedFrame(`${nameOf(frame)}: field ${field.name}, row ${i}: ${value} is not a number`);
    }
  }
  return values;
}

/** A series is named by its display name, else its frame, else its labels. One that all of them leave blank is not nameless. */
export function seriesName(frame: DataFrame, countField: Field): string {
  const labels = Object.entries(countField.labels ?? {}).map(([name, value]) => `${name}=${value || '(none)'}`);
  return countField.config.displayNameFromDS || countField.config.displayName || frame.name || labels.join(', ');
}
