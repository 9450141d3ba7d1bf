import { type ReactNode, useState } from 'react';
import { Button, Field, Input, Stack, Text } from '@grafana/ui';
import { CertificateField } from './CertificateField';

/** What agents and targets have in common. */
interface Endpoint {
  name: string;
  url: string;
  ca?: string;
}

interface Props<T extends Endpoint> {
  what: 'agent' | 'target';
  number: number;
  endpoint: T;
  readOnly: boolean;
  /** Whether another has the same name. */
  taken: boolean;
  url: { label: string; width: number; placeholder: string };
  onChange: (endpoint: T) => void;
  onRemove: () => void;
  /** Stands beside the URL. */
  beside?: ReactNode;
  /** Stands between the URL and the certificate. */
  children?: ReactNode;
}

/** Where something is asked that the data source has several of: its name, its URL, and its certificate. */
export function EndpointFields<T extends Endpoint>(props: Props<T>) {
  const { what, number, endpoint, readOnly, taken, url, onChange, onRemove, beside, children } = props;
  // Secrets hang on names: one is taken over when it is complete, not letter by letter.
  const [name, setName] = useState(endpoint.name);
  const id = (field: string) => `gotherm-${what}-${number}-${field}`;
  const title = what === 'agent' ? 'Agent' : 'Target';
  const nameProblem =
    endpoint.name === ''
      ? `Give each ${what} a name of its own`
      : taken
        ? `${endpoint.name} is the name of another ${what}`
        : undefined;
  return (
    <section aria-label={`${title} ${number}`}>
      <Stack direction="column" gap={1}>
        <Stack alignItems="center" gap={2}>
          <Text element="h4">{endpoint.name || `${title} ${number}`}</Text>
          <Button
            variant="secondary"
            fill="text"
            size="sm"
            icon="trash-alt"
            disabled={readOnly}
            aria-label={`Remove ${what} ${endpoint.name || number}`}
            onClick={onRemove}
          >
            Remove
          </Button>
        </Stack>
        <Stack wrap="wrap" alignItems="flex-start" gap={2}>
          <Field label="Name" htmlFor={id('name')} invalid={nameProblem !== undefined} error={nameProblem} noMargin>
            <Input
              id={id('name')}
              disabled={readOnly}
              width={24}
              value={name}
              onChange={({ currentTarget }) => setName(currentTarget.value)}
              onBlur={() => name !== endpoint.name && onChange({ ...endpoint, name: name.trim() })}
            />
          </Field>
          <Field label={url.label} htmlFor={id('url')} noMargin>
            <Input
              id={id('url')}
              disabled={readOnly}
              width={url.width}
              placeholder={url.placeholder}
              value={endpoint.url}
              onChange={({ currentTarget }) => onChange({ ...endpoint, url: currentTarget.value })}
            />
          </Field>
          {beside}
        </Stack>
        {children}
        <CertificateField
          id={id('ca')}
          whose={what}
          ca={endpoint.ca}
          readOnly={readOnly}
          onChange={(ca) => onChange({ ...endpoint, ca })}
        />
      </Stack>
    </section>
  );
}
