// The variables of a dashboard: a choice for each, and their values as text.
import { css } from '@emotion/css';
import { useEffect, useMemo, useState } from 'react';
import {
  CoreApp,
  DataFrame,
  DataQueryRequest,
  DataSourceApi,
  GrafanaTheme2,
  MetricFindValue,
  TimeRange,
  toDataFrame,
} from '@grafana/data';
import { Combobox, ComboboxOption, InlineLabel, Input, MultiSelect, useStyles2 } from '@grafana/ui';
import { from, lastValueFrom, Observable } from 'rxjs';
import { VariableModel } from './dashboard';
import { dataSourceUid } from './datasource';
import { messageOf } from './request';
import { all, Value, Values } from './templates';

interface Choice {
  options: string[];
  error?: string;
}

const listed: Array<VariableModel['type']> = ['query', 'custom', 'interval'];

/** The values of the variables: what was chosen, else what the dashboard says. */
export function chosen(variables: VariableModel[], picked: Values): Values {
  return Object.fromEntries(
    variables.map((variable) => {
      const { name, type, current, query } = variable;
      if (type === 'datasource') {
        return [name, dataSourceUid];
      }
      const value: Value = picked[name] ?? current?.value ?? (typeof query === 'string' ? query : '');
      return [name, variable.multi ? [value].flat() : ([value].flat()[0] ?? '')];
    })
  );
}

/** Those values as queries get them: All is every option, or what stands for it. */
export function expanded(variables: VariableModel[], values: Values, choices: Record<string, Choice>): Values {
  return Object.fromEntries(
    variables.map(({ name, allValue }) => {
      const value = values[name];
      return [name, [value].flat().includes(all) ? allValue || (choices[name]?.options ?? []) : value];
    })
  );
}

/** The choices of each variable; nothing until they are known for the first time. */
export function useChoices(
  dataSource: DataSourceApi,
  variables: VariableModel[],
  range: TimeRange,
  revision: string
): Record<string, Choice> | undefined {
  const [choices, setChoices] = useState<Record<string, Choice>>();
  useEffect(() => {
    let over = false;
    void Promise.all(
      variables
        .filter(({ type }) => listed.includes(type))
        .map(async (variable): Promise<[string, Choice]> => {
          try {
            return [variable.name, { options: await optionsOf(dataSource, variable, range) }];
          } catch (error) {
            return [variable.name, { options: [], error: messageOf(error) }];
          }
        })
    ).then((entries) => {
      if (!over) {
        // The same choices must stay the same object: all that depends on them would be asked anew.
        const next = Object.fromEntries(entries);
        setChoices((before) => (JSON.stringify(before) === JSON.stringify(next) ? before : next));
      }
    });
    return () => {
      over = true;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [dataSource, variables, revision]);
  return choices;
}

async function optionsOf(dataSource: DataSourceApi, variable: VariableModel, range: TimeRange): Promise<string[]> {
  if (variable.type !== 'query') {
    return String(variable.query ?? '')
      .split(',')
      .map((option) => option.trim())
      .filter(Boolean);
  }
  const found = await askOptions(dataSource, variable, range);
  const regex = variable.regex ? new RegExp(variable.regex.replace(/^\/(.*)\/\w*$/, '$1')) : undefined;
  const options = found.flatMap((option) => {
    const match = regex?.exec(option);
    return regex ? (match ? [match[1] ?? match[0]] : []) : [option];
  });
  const unique = [...new Set(options)];
  return variable.sort ? unique.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })) : unique;
}

async function askOptions(dataSource: DataSourceApi, { query }: VariableModel, range: TimeRange): Promise<string[]> {
  const support = dataSource.variables;
  if (support && 'query' in support && typeof support.query === 'function') {
    const request = {
      requestId: 'variable',
      app: CoreApp.Dashboard,
      timezone: 'browser',
      interval: '1s',
      intervalMs: 1000,
      range,
      scopedVars: {},
      startTime: Date.now(),
      targets: [typeof query === 'object' ? { refId: 'variable', ...query } : { refId: 'variable', query }],
    } as unknown as DataQueryRequest;
    const { data } = await lastValueFrom(from(support.query(request) as Observable<{ data: Found[] }>));
    return data.flatMap((item) => ('fields' in item ? valuesOf(toDataFrame(item)) : String(item.value ?? item.text)));
  }
  const values = (await dataSource.metricFindQuery?.(query, { range })) ?? [];
  return values.map(({ value, text }) => String(value ?? text));
}

/** A variable's query answers with frames, or with plain values. */
type Found = DataFrame | MetricFindValue;

function valuesOf({ fields }: DataFrame): string[] {
  const named = (wanted: string) => fields.find(({ name }) => name === wanted);
  return (named('value') ?? named('text') ?? fields[0])?.values.map(String) ?? [];
}

export interface Props {
  variables: VariableModel[];
  values: Values;
  choices: Record<string, Choice>;
  onChange(name: string, value: Value): void;
}

export function Variables({ variables, values, choices, onChange }: Props) {
  const styles = useStyles2(look);
  const shown = useMemo(
    () => variables.filter(({ hide, type }) => hide !== 2 && type !== 'constant' && type !== 'datasource'),
    [variables]
  );
  return (
    <>
      {shown.map((variable) => {
        const id = `variable-${variable.name}`;
        const label = variable.label || variable.name;
        return (
          <div key={variable.name} className={styles.variable}>
            {variable.hide !== 1 && (
              <InlineLabel width="auto" htmlFor={id}>
                <span title={variable.description}>{label}</span>
              </InlineLabel>
            )}
            <Control
              {...{ id, label, variable, choice: choices[variable.name], value: values[variable.name] }}
              onChange={(value) => onChange(variable.name, value)}
            />
          </div>
        );
      })}
    </>
  );
}

interface ControlProps {
  id: string;
  label: string;
  variable: VariableModel;
  choice?: Choice;
  value: Value;
  onChange(value: Value): void;
}

function Control({ id, label, variable, choice, value, onChange }: ControlProps) {
  if (!listed.includes(variable.type)) {
    return (
      <Input
        id={id}
        aria-label={label}
        width={20}
        defaultValue={String(value)}
        onBlur={(e) => onChange(e.currentTarget.value)}
      />
    );
  }
  const options: Array<ComboboxOption<string>> = [
    ...(variable.includeAll ? [{ label: 'All', value: all }] : []),
    ...(choice?.options ?? []).map((option) => ({ label: option, value: option })),
  ];
  const noOptionsMessage = choice?.error ?? 'Nothing seen yet';
  const invalid = Boolean(choice?.error);
  if (variable.multi) {
    return (
      // Not MultiCombobox: its arrow is a button without a name.
      <MultiSelect
        {...{ options, invalid, noOptionsMessage }}
        inputId={id}
        aria-label={label}
        value={[value].flat()}
        width="auto"
        allowCustomValue
        closeMenuOnSelect={false}
        onChange={(picked) =>
          onChange(
            allOrSome(
              [value].flat(),
              picked.map((option) => option.value!)
            )
          )
        }
      />
    );
  }
  return (
    <Combobox
      {...{ id, options, invalid, noOptionsMessage }}
      aria-label={label}
      value={[value].flat()[0]}
      width="auto"
      minWidth={16}
      createCustomValue
      onChange={(option) => onChange(option.value)}
    />
  );
}

/** All stands alone: choosing it drops the others, and choosing another drops it. */
function allOrSome(before: string[], after: string[]): string[] {
  if (after.length === 0 || (after.includes(all) && !before.includes(all))) {
    return [all];
  }
  return after.filter((value) => value !== all || after.length === 1);
}

const look = (_: GrafanaTheme2) => ({ variable: css({ display: 'flex', alignItems: 'center' }) });
