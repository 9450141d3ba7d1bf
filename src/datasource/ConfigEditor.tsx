import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Button, Field, FieldSet, Input, SecretInput, Stack, Text } from '@grafana/ui';
import { EndpointFields } from './EndpointFields';
import type { HeatSettings } from './DataSource';
import { PyroscopeFields } from './PyroscopeFields';
import type { Agent } from './query.gen';
import { Targets } from './Targets';

/** Bearer tokens, by `token.<name of the agent>`. */
type Secrets = Record<string, string>;
type Props = DataSourcePluginOptionsEditorProps<HeatSettings, Secrets>;

const longestTimeout = 60;

/** The name of the secret that holds an agent's bearer token. */
export const secretOf = (agent: Agent) => `token.${agent.name}`;

/** Edits the agents that a data source asks. */
export function ConfigEditor({ options, onOptionsChange }: Props) {
  // A provisioned data source is changed where it is provisioned.
  const { jsonData, secureJsonData = {}, secureJsonFields = {}, readOnly } = options;
  const agents = jsonData.agents ?? [];

  const changeAgents = (
    changed: Agent[],
    secrets?: Partial<Pick<typeof options, 'secureJsonData' | 'secureJsonFields'>>
  ) => onOptionsChange({ ...options, ...secrets, jsonData: { ...jsonData, agents: changed } });

  const change = (i: number, agent: Agent) => {
    const before = agents[i];
    const changed = agents.map((old, j) => (i === j ? agent : old));
    if (before.name === agent.name) {
      changeAgents(changed);
      return;
    }
    // A saved token stays under the old name, where nothing reads it: forget it.
    const { [secretOf(before)]: typed, ...others } = secureJsonData;
    changeAgents(changed, {
      secureJsonFields: { ...secureJsonFields, [secretOf(before)]: false },
      secureJsonData: { ...others, ...(typed !== undefined && { [secretOf(agent)]: typed }) },
    });
  };

  const remove = (i: number) => {
    const { [secretOf(agents[i])]: _, ...others } = secureJsonData;
    changeAgents(
      agents.filter((_, j) => j !== i),
      { secureJsonFields: { ...secureJsonFields, [secretOf(agents[i])]: false }, secureJsonData: others }
    );
  };

  const add = () => {
    let n = agents.length + 1;
    while (agents.some(({ name }) => name === `agent-${n}`)) {
      n++;
    }
    changeAgents([...agents, { name: `agent-${n}`, url: agents.length === 0 ? 'http://127.0.0.1:7117' : 'https://' }]);
  };

  const setToken = (agent: Agent, token: string) =>
    onOptionsChange({ ...options, secureJsonData: { ...secureJsonData, [secretOf(agent)]: token } });

  const resetToken = (agent: Agent) =>
    onOptionsChange({
      ...options,
      secureJsonFields: { ...secureJsonFields, [secretOf(agent)]: false },
      secureJsonData: { ...secureJsonData, [secretOf(agent)]: '' },
    });

  const timeout = jsonData.timeoutSeconds;
  const timeoutProblem =
    timeout !== undefined && !(Number.isInteger(timeout) && timeout >= 1 && timeout <= longestTimeout)
      ? `${timeout} is not a whole number from 1 to ${longestTimeout}`
      : undefined;

  return (
    <>
      <FieldSet label="Agents">
        <Stack direction="column" gap={3}>
          <Text color="secondary">
            Each gotherm-agent is asked on its own, and the heat of all is shown together. One that does not answer is a
            notice on the panel.
          </Text>
          {agents.map((agent, i) => (
            <AgentFields
              key={i}
              number={i + 1}
              agent={agent}
              readOnly={readOnly}
              taken={agents.some(({ name }, j) => i !== j && name === agent.name)}
              hasToken={Boolean(secureJsonFields[secretOf(agent)])}
              token={secureJsonData[secretOf(agent)] ?? ''}
              onChange={(changed) => change(i, changed)}
              onToken={(token) => setToken(agent, token)}
              onResetToken={() => resetToken(agent)}
              onRemove={() => remove(i)}
            />
          ))}
          <div>
            <Button variant="secondary" icon="plus" onClick={add} disabled={readOnly}>
              Add agent
            </Button>
          </div>
        </Stack>
      </FieldSet>
      <Targets options={options} onOptionsChange={onOptionsChange} />
      <PyroscopeFields options={options} onOptionsChange={onOptionsChange} />
      <FieldSet label="Requests">
        <Field
          label="Timeout"
          htmlFor="gotherm-timeout"
          description="Seconds that one request to one agent or to Pyroscope may take; to a target, beside what a profile lasts"
          invalid={timeoutProblem !== undefined}
          error={timeoutProblem}
        >
          <Input
            id="gotherm-timeout"
            disabled={readOnly}
            type="number"
            width={20}
            min={1}
            max={longestTimeout}
            placeholder="10"
            value={timeout ?? ''}
            onChange={({ currentTarget }) =>
              onOptionsChange({
                ...options,
                jsonData: {
                  ...jsonData,
                  timeoutSeconds: currentTarget.value === '' ? undefined : Number(currentTarget.value),
                },
              })
            }
          />
        </Field>
      </FieldSet>
    </>
  );
}

interface AgentProps {
  number: number;
  agent: Agent;
  readOnly: boolean;
  /** Whether another agent has the same name. */
  taken: boolean;
  hasToken: boolean;
  token: string;
  onChange: (agent: Agent) => void;
  onToken: (token: string) => void;
  onResetToken: () => void;
  onRemove: () => void;
}

function AgentFields({
  number,
  agent,
  readOnly,
  taken,
  hasToken,
  token,
  onChange,
  onToken,
  onResetToken,
  onRemove,
}: AgentProps) {
  const id = (field: string) => `gotherm-agent-${number}-${field}`;
  return (
    <EndpointFields
      what="agent"
      number={number}
      endpoint={agent}
      readOnly={readOnly}
      taken={taken}
      url={{ label: 'URL', width: 40, placeholder: 'https://host:7117' }}
      onChange={onChange}
      onRemove={onRemove}
      beside={
        <Field label="Token" htmlFor={id('token')} noMargin>
          <SecretInput
            id={id('token')}
            disabled={readOnly}
            width={32}
            placeholder="none"
            isConfigured={hasToken}
            value={token}
            onChange={({ currentTarget }) => onToken(currentTarget.value)}
            onReset={onResetToken}
          />
        </Field>
      }
    />
  );
}
