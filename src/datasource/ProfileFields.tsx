import { useMemo } from 'react';
import { Combobox, InlineField, InlineFieldRow, InlineSwitch, Input } from '@grafana/ui';
import type { DataSource } from './DataSource';
import { optionsOf, useLoaded } from './lists';
import type { Profile, Query } from './query.gen';
import { cpu, sampleTypesOf } from './profiles';

interface Props {
  /** Tells the controls of several editors on one page apart. */
  idPrefix: string;
  datasource: DataSource;
  kind: Query['kind'];
  profile: Profile;
  /** Takes a change; typed says that more may follow, so the query is not to be asked yet. */
  onChange: (profile: Profile, typed?: boolean) => void;
  onRunQuery: () => void;
}

/** Edits which profile is wanted, which part of it, and what it is compared with. */
export function ProfileFields({ idPrefix, datasource, kind, profile, onChange, onRunQuery }: Props) {
  const { target, service, type = cpu, sampleType, seconds, base } = profile;
  const targets = useLoaded(useMemo(() => datasource.targets(), [datasource]));
  const served = useLoaded(
    useMemo(() => {
      const of = target ? { target } : service ? { service } : undefined;
      return of ? datasource.profiles(of) : Promise.resolve([]);
    }, [datasource, target, service])
  );
  const services = useLoaded(useMemo(() => datasource.services(), [datasource]));
  const id = (name: string) => `${idPrefix}-${name}`;
  const ofService = { names: services.value ?? [], problem: services.problem };
  // Where there is no Pyroscope, nothing is said of services.
  const hasServices = Boolean(ofService.names.length || ofService.problem || service);
  const ofTarget = { names: targets.value ?? [], problem: targets.problem };
  // An execution trace has no types, and is taken as a whole.
  const isTrace = kind === 'stages';
  const types = served.value?.map((one) => one.type) ?? [];
  return (
    <>
      <InlineFieldRow>
        <TargetField
          id={id('target')}
          label="Target"
          {...ofTarget}
          value={target}
          missing={!target && !profile.process && !service && kind !== 'profile-heat'}
          onChange={(changed) => onChange({ ...profile, target: changed, ...(changed && { service: undefined }) })}
        />
        <InlineField
          label="or process"
          htmlFor={id('process')}
          tooltip={
            isTrace
              ? 'A process that an agent collects profiles of, as the dimension process names it. The agent traces it now.'
              : 'A process that an agent collects profiles of, as the dimension process names it. The profiles in the time range become one.'
          }
        >
          <Input
            id={id('process')}
            width={20}
            placeholder={kind === 'profile-heat' ? 'all of the matchers' : 'none'}
            value={profile.process ?? ''}
            onChange={({ currentTarget }) => onChange({ ...profile, process: currentTarget.value || undefined }, true)}
            onBlur={onRunQuery}
          />
        </InlineField>
        {!isTrace && hasServices && (
          <ServiceField
            id={id('service')}
            label="or service"
            {...ofService}
            value={service}
            onChange={(changed) =>
              onChange(changed ? ofServiceOnly(profile, changed) : { ...profile, service: changed })
            }
          />
        )}
        {kind === 'profile-heat' && (
          <InlineField
            label="Rows"
            htmlFor={id('group-by')}
            tooltip="What rows are: function, or label: and a key, such as label:route."
          >
            <Input
              id={id('group-by')}
              width={16}
              placeholder="function"
              value={profile.groupBy ?? ''}
              onChange={({ currentTarget }) =>
                onChange({ ...profile, groupBy: currentTarget.value || undefined }, true)
              }
              onBlur={onRunQuery}
            />
          </InlineField>
        )}
        {!isTrace && (
          <InlineField
            label="Profile"
            htmlFor={id('type')}
            invalid={served.problem !== undefined}
            error={served.problem}
          >
            <Combobox
              id={id('type')}
              width={20}
              createCustomValue
              value={type}
              options={optionsOf(types, [type])}
              onChange={({ value }) => onChange({ ...profile, type: value, sampleType: undefined, seconds: undefined })}
            />
          </InlineField>
        )}
        {kind !== 'profile' && !isTrace && (
          <InlineField label="Value" htmlFor={id('sample-type')} tooltip="Which of the values of each sample is shown.">
            <Combobox
              id={id('sample-type')}
              width={20}
              isClearable
              createCustomValue
              placeholder="the usual one"
              value={sampleType ?? null}
              options={optionsOf(sampleTypesOf(type), sampleType ? [sampleType] : [])}
              onChange={(option) => onChange({ ...profile, sampleType: option?.value })}
            />
          </InlineField>
        )}
        {!service && (
          <InlineField
            label="Seconds"
            htmlFor={id('seconds')}
            tooltip={
              type === cpu
                ? 'How long the program is profiled. Whoever looks at the same profile meanwhile, and shortly after, shares it.'
                : 'What happened in so many seconds from now; without, all there is.'
            }
          >
            <Input
              id={id('seconds')}
              type="number"
              min={1}
              max={60}
              width={10}
              placeholder={type === cpu ? '10' : 'all'}
              value={seconds ?? ''}
              onChange={({ currentTarget }) =>
                onChange({ ...profile, seconds: Number(currentTarget.value) || undefined }, true)
              }
              onBlur={onRunQuery}
            />
          </InlineField>
        )}
      </InlineFieldRow>
      {!isTrace && (
        <>
          <Filters idPrefix={idPrefix} side={profile} onChange={onChange} onRunQuery={onRunQuery} label="Function" />
          <InlineFieldRow>
            <InlineField
              label="Compare"
              labelWidth={16}
              htmlFor={id('compare')}
              tooltip="Shows what is more and what is less than in another target or service, or another part of the profile."
            >
              <InlineSwitch
                id={id('compare')}
                value={base !== undefined}
                onChange={({ currentTarget }) => onChange({ ...profile, base: currentTarget.checked ? {} : undefined })}
              />
            </InlineField>
            {base && (
              <TargetField
                id={id('base-target')}
                label="with target"
                {...ofTarget}
                value={base.target}
                onChange={(changed) =>
                  onChange({ ...profile, base: { ...base, target: changed, ...(changed && { service: undefined }) } })
                }
              />
            )}
            {base && hasServices && (
              <ServiceField
                id={id('base-service')}
                label="or service"
                {...ofService}
                value={base.service}
                onChange={(changed) =>
                  onChange({
                    ...profile,
                    base: changed ? ofServiceOnly(base, changed) : { ...base, service: changed },
                  })
                }
              />
            )}
          </InlineFieldRow>
          {base && (
            <Filters
              idPrefix={id('base')}
              side={base}
              label="its function"
              onChange={(changed, typed) => onChange({ ...profile, base: changed }, typed)}
              onRunQuery={onRunQuery}
            />
          )}
        </>
      )}
    </>
  );
}

/** A profile of a service: of no target or process, and of a range instead of seconds. */
const ofServiceOnly = (profile: Profile, service: string): Profile => ({
  ...profile,
  service,
  target: undefined,
  process: undefined,
  seconds: undefined,
});

interface ServiceProps {
  id: string;
  label: string;
  names: string[];
  problem?: string;
  value?: string;
  onChange: (service: string | undefined) => void;
}

function ServiceField({ id, label, names, problem, value, onChange }: ServiceProps) {
  return (
    <InlineField
      label={label}
      htmlFor={id}
      tooltip="A service whose profiles Pyroscope keeps: its label service_name. All that it keeps in the time range becomes one profile."
      invalid={problem !== undefined}
      error={problem}
    >
      <Combobox
        id={id}
        width={24}
        isClearable
        createCustomValue
        placeholder="none"
        value={value ?? null}
        options={optionsOf(names, value ? [value] : [])}
        onChange={(option) => onChange(option?.value)}
      />
    </InlineField>
  );
}

interface TargetProps {
  id: string;
  label: string;
  names: string[];
  problem?: string;
  value?: string;
  missing?: boolean;
  onChange: (target: string | undefined) => void;
}

function TargetField({ id, label, names, problem, value, missing = false, onChange }: TargetProps) {
  const none = problem === undefined && names.length === 0;
  const error =
    problem ?? (missing ? (none ? 'No target is configured in the data source' : 'Choose a target') : undefined);
  return (
    <InlineField
      label={label}
      labelWidth={16}
      htmlFor={id}
      tooltip="A program that serves net/http/pprof, as the data source's settings name it."
      invalid={error !== undefined}
      error={error}
    >
      <Combobox
        id={id}
        width={24}
        isClearable
        createCustomValue
        placeholder="the same"
        value={value ?? null}
        options={optionsOf(names, value ? [value] : [])}
        onChange={(option) => onChange(option?.value)}
      />
    </InlineField>
  );
}

interface FilterProps {
  idPrefix: string;
  side: Profile;
  label: string;
  onChange: (side: Profile, typed: boolean) => void;
  onRunQuery: () => void;
}

function Filters({ idPrefix, side, label, onChange, onRunQuery }: FilterProps) {
  return (
    <InlineFieldRow>
      <InlineField
        label={label}
        labelWidth={16}
        htmlFor={`${idPrefix}-function`}
        tooltip="A regular expression: what has such a function or file in its stack is kept."
      >
        <Input
          id={`${idPrefix}-function`}
          width={24}
          placeholder="any"
          value={side.function ?? ''}
          onChange={({ currentTarget }) => onChange({ ...side, function: currentTarget.value || undefined }, true)}
          onBlur={onRunQuery}
        />
      </InlineField>
      <InlineField
        label="label"
        htmlFor={`${idPrefix}-label`}
        tooltip="A pprof label as key=value, the value a regular expression: what has it is kept."
      >
        <Input
          id={`${idPrefix}-label`}
          width={24}
          placeholder="route=/checkout"
          value={side.label ?? ''}
          onChange={({ currentTarget }) => onChange({ ...side, label: currentTarget.value || undefined }, true)}
          onBlur={onRunQuery}
        />
      </InlineField>
    </InlineFieldRow>
  );
}
