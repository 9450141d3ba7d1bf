import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Field, FieldSet, Input, Stack, Text } from '@grafana/ui';
import { CertificateField } from './CertificateField';
import type { HeatSettings } from './DataSource';
import { HeaderFields } from './HeaderFields';
import type { Pyroscope } from './query.gen';

type Secrets = Record<string, string>;
type Props = DataSourcePluginOptionsEditorProps<HeatSettings, Secrets>;

/** The name of the secret that holds the value of a header for Pyroscope. */
const secretOf = (header: string) => `pyroscope.${header}`;

/** Edits where Pyroscope is asked for the profiles of services. */
export function PyroscopeFields({ options, onOptionsChange }: Props) {
  const { jsonData, secureJsonData = {}, secureJsonFields = {}, readOnly } = options;
  const { pyroscope } = jsonData;
  const headers = pyroscope?.headers ?? [];

  const change = (changed: Pyroscope) => {
    const none = !changed.url && !changed.ca && !changed.headers?.length;
    const gone = headers.filter((header) => !changed.headers?.includes(header)).map(secretOf);
    onOptionsChange({
      ...options,
      jsonData: { ...jsonData, pyroscope: none ? undefined : changed },
      secureJsonFields: { ...secureJsonFields, ...Object.fromEntries(gone.map((name) => [name, false])) },
      secureJsonData: Object.fromEntries(Object.entries(secureJsonData).filter(([name]) => !gone.includes(name))),
    });
  };

  const setValue = (header: string, value: string) =>
    onOptionsChange({ ...options, secureJsonData: { ...secureJsonData, [secretOf(header)]: value } });

  const reset = (header: string) =>
    onOptionsChange({
      ...options,
      secureJsonFields: { ...secureJsonFields, [secretOf(header)]: false },
      secureJsonData: { ...secureJsonData, [secretOf(header)]: '' },
    });

  return (
    <FieldSet label="Pyroscope">
      <Stack direction="column" gap={1}>
        <Text color="secondary">
          Where one keeps profiles of services, queries about profiles can name a service. Authorization, and
          X-Scope-OrgID for a tenant, are headers.
        </Text>
        <Field label="URL" htmlFor="gotherm-pyroscope-url" noMargin>
          <Input
            id="gotherm-pyroscope-url"
            disabled={readOnly}
            width={40}
            placeholder="https://host:4040"
            value={pyroscope?.url ?? ''}
            onChange={({ currentTarget }) => change({ ...pyroscope, url: currentTarget.value })}
          />
        </Field>
        {pyroscope && (
          <>
            <HeaderFields
              idPrefix="gotherm-pyroscope"
              headers={headers}
              readOnly={Boolean(readOnly)}
              placeholder="X-Scope-OrgID"
              isSaved={(header) => Boolean(secureJsonFields[secretOf(header)])}
              valueOf={(header) => secureJsonData[secretOf(header)] ?? ''}
              onChange={(changed) => change({ ...pyroscope, headers: changed })}
              onValue={setValue}
              onReset={reset}
            />
            <CertificateField
              id="gotherm-pyroscope-ca"
              whose="server"
              ca={pyroscope.ca}
              readOnly={Boolean(readOnly)}
              onChange={(ca) => change({ ...pyroscope, ca })}
            />
          </>
        )}
      </Stack>
    </FieldSet>
  );
}
