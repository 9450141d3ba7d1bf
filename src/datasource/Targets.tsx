import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Button, FieldSet, Stack, Text } from '@grafana/ui';
import { EndpointFields } from './EndpointFields';
import type { HeatSettings } from './DataSource';
import { HeaderFields } from './HeaderFields';
import type { Target } from './query.gen';

/** Values of headers, by `header.<name of the target>.<header>`. */
type Secrets = Record<string, string>;
type Props = DataSourcePluginOptionsEditorProps<HeatSettings, Secrets>;

/** The name of the secret that holds the value of a target's header. */
export const headerSecretOf = (target: Target, header: string) => `header.${target.name}.${header}`;

/** Edits the programs whose profiles a data source collects. */
export function Targets({ options, onOptionsChange }: Props) {
  const { jsonData, secureJsonData = {}, secureJsonFields = {}, readOnly } = options;
  const targets = jsonData.targets ?? [];

  /** Makes a change, and forgets the saved secrets of these names: what was typed of them goes where moved says. */
  const change = (changed: Target[], forget: string[] = [], moved: Secrets = {}) =>
    onOptionsChange({
      ...options,
      jsonData: { ...jsonData, targets: changed },
      secureJsonFields: { ...secureJsonFields, ...Object.fromEntries(forget.map((name) => [name, false])) },
      secureJsonData: {
        ...Object.fromEntries(Object.entries(secureJsonData).filter(([name]) => !forget.includes(name))),
        ...moved,
      },
    });

  const secretsOf = (target: Target) => (target.headers ?? []).map((header) => headerSecretOf(target, header));

  const replace = (i: number, target: Target) => {
    const before = targets[i];
    const changed = targets.map((old, j) => (i === j ? target : old));
    const kept = secretsOf(target);
    const forget = secretsOf(before).filter((name) => !kept.includes(name));
    // What has been typed in goes with a new name; what is saved stays under the old one, where nothing reads it.
    const moved = before.name === target.name ? [] : (target.headers ?? []);
    const typed = moved
      .map((header) => [headerSecretOf(target, header), secureJsonData[headerSecretOf(before, header)]] as const)
      .filter(([, value]) => value !== undefined);
    change(changed, forget, Object.fromEntries(typed));
  };

  const add = () => {
    let n = targets.length + 1;
    while (targets.some(({ name }) => name === `target-${n}`)) {
      n++;
    }
    change([...targets, { name: `target-${n}`, url: 'http://127.0.0.1:6060/debug/pprof/' }]);
  };

  const setHeader = (target: Target, header: string, value: string) =>
    onOptionsChange({
      ...options,
      secureJsonData: { ...secureJsonData, [headerSecretOf(target, header)]: value },
    });

  const resetHeader = (target: Target, header: string) =>
    onOptionsChange({
      ...options,
      secureJsonFields: { ...secureJsonFields, [headerSecretOf(target, header)]: false },
      secureJsonData: { ...secureJsonData, [headerSecretOf(target, header)]: '' },
    });

  return (
    <FieldSet label="Profiles">
      <Stack direction="column" gap={3}>
        <Text color="secondary">
          Programs that serve net/http/pprof. Queries name a target, never a URL; each is asked for one CPU profile at a
          time, and whoever looks at the same profile shares it.
        </Text>
        {targets.map((target, i) => (
          <TargetFields
            key={i}
            number={i + 1}
            target={target}
            readOnly={readOnly}
            taken={targets.some(({ name }, j) => i !== j && name === target.name)}
            isSaved={(header) => Boolean(secureJsonFields[headerSecretOf(target, header)])}
            valueOf={(header) => secureJsonData[headerSecretOf(target, header)] ?? ''}
            onChange={(changed) => replace(i, changed)}
            onValue={(header, value) => setHeader(target, header, value)}
            onReset={(header) => resetHeader(target, header)}
            onRemove={() =>
              change(
                targets.filter((_, j) => j !== i),
                secretsOf(target)
              )
            }
          />
        ))}
        <div>
          <Button variant="secondary" icon="plus" onClick={add} disabled={readOnly}>
            Add target
          </Button>
        </div>
      </Stack>
    </FieldSet>
  );
}

interface TargetProps {
  number: number;
  target: Target;
  readOnly: boolean;
  /** Whether another target has the same name. */
  taken: boolean;
  isSaved: (header: string) => boolean;
  valueOf: (header: string) => string;
  onChange: (target: Target) => void;
  onValue: (header: string, value: string) => void;
  onReset: (header: string) => void;
  onRemove: () => void;
}

function TargetFields({ number, target, readOnly, taken, isSaved, valueOf, onChange, ...on }: TargetProps) {
  return (
    <EndpointFields
      what="target"
      number={number}
      endpoint={target}
      readOnly={readOnly}
      taken={taken}
      url={{ label: 'URL of the index page', width: 48, placeholder: 'https://host:6060/debug/pprof/' }}
      onChange={onChange}
      onRemove={on.onRemove}
    >
      <HeaderFields
        idPrefix={`gotherm-target-${number}`}
        headers={target.headers ?? []}
        readOnly={readOnly}
        placeholder="Authorization"
        isSaved={isSaved}
        valueOf={valueOf}
        onChange={(headers) => onChange({ ...target, headers })}
        onValue={on.onValue}
        onReset={on.onReset}
      />
    </EndpointFields>
  );
}
