// Variables in texts: $name, ${name}, ${name:format}, ${name.field}, [[name]].
import { ScopedVars, TimeRange, TypedVariableModel } from '@grafana/data';
import { TemplateSrv } from '@grafana/runtime';
import { VariableModel } from './dashboard';

export type Value = string | string[];
export type Values = Record<string, Value>;

export const all = '$__all';

const reference = /\$(\w+)|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}|\[\[(\w+?)(?:\.(\w+))?(?::([^\]]+))?\]\]/g;

type Formatter = (value: Value, variable?: Partial<VariableModel>) => string;

const list = (value: Value) => (Array.isArray(value) ? value : [value]);
const escapeRegex = (text: string) => text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\$&');

const formats: Record<string, Formatter> = {
  glob: (value) => (Array.isArray(value) && value.length > 1 ? `{${value.join(',')}}` : list(value).join('')),
  csv: (value) => list(value).join(','),
  raw: (value) => list(value).join(','),
  text: (value) => list(value).join(' + '),
  pipe: (value) => list(value).join('|'),
  json: (value) => JSON.stringify(value),
  doublequote: (value) =>
    list(value)
      .map((v) => `"${v.replaceAll('"', '\\"')}"`)
      .join(','),
  singlequote: (value) =>
    list(value)
      .map((v) => `'${v.replaceAll("'", "\\'")}'`)
      .join(','),
  percentencode: (value) => encodeURIComponent(formats.glob(value)),
  queryparam: (value, variable) =>
    list(value)
      .map((v) => `var-${variable?.name}=${encodeURIComponent(v)}`)
      .join('&'),
  regex: (value) => {
    const escaped = list(value).map(escapeRegex);
    return escaped.length > 1 ? `(${escaped.join('|')})` : escaped.join('');
  },
};

/** Grafana's template service over the variables of one dashboard. */
export class Templates implements TemplateSrv {
  private variables: VariableModel[] = [];
  private values: Values = {};
  private range?: TimeRange;

  set(variables: VariableModel[], values: Values) {
    this.variables = variables;
    this.values = values;
  }

  getVariables(): TypedVariableModel[] {
    return this.variables.map(
      (v) => ({ ...v, current: { value: this.values[v.name] } }) as unknown as TypedVariableModel
    );
  }

  updateTimeRange(range: TimeRange) {
    this.range = range;
  }

  containsTemplate(target?: string): boolean {
    return Boolean(target && target.replace(reference, '') !== target);
  }

  replace = (target?: string, scopedVars?: ScopedVars, format?: string | Function): string =>
    (target ?? '').replace(reference, (match, a, b, fieldPath, formatB, c, _fieldC, formatC) => {
      const name: string = a ?? b ?? c;
      const value = this.lookUp(name, fieldPath, scopedVars);
      if (value === undefined || value === null) {
        return match;
      }
      const how = formatB ?? formatC ?? format ?? 'glob';
      if (typeof how === 'function') {
        const variable = this.variables.find((v) => v.name === name) ?? { name };
        return how(value, variable, formats.glob);
      }
      return (formats[how] ?? formats.glob)(value, { name });
    });

  private lookUp(name: string, fieldPath?: string, scopedVars?: ScopedVars): Value | undefined {
    const scoped = scopedVars?.[name]?.value;
    if (scoped !== undefined) {
      const found = fieldPath ? fieldPath.split('.').reduce((at, key) => at?.[key], scoped) : scoped;
      return Array.isArray(found) ? found.map(String) : found === undefined ? undefined : String(found);
    }
    if (this.range && (name === '__from' || name === '__to')) {
      const at = name === '__from' ? this.range.from : this.range.to;
      return fieldPath === 'date' ? at.toISOString() : String(at.valueOf());
    }
    return this.values[name];
  }
}
