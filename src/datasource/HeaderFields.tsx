import { useState } from 'react';
import { Button, Field, Input, SecretInput, Stack } from '@grafana/ui';

interface Props {
  /** Begins the ids of the controls. */
  idPrefix: string;
  headers: string[];
  readOnly: boolean;
  placeholder: string;
  /** Whether the value of a header has been saved. */
  isSaved: (header: string) => boolean;
  /** What has been typed in as the value of a header. */
  valueOf: (header: string) => string;
  onChange: (headers: string[]) => void;
  onValue: (header: string, value: string) => void;
  onReset: (header: string) => void;
}

/** Edits the headers that are sent with each request; their values are secret. */
export function HeaderFields({ idPrefix, headers, readOnly, placeholder, isSaved, valueOf, onChange, ...on }: Props) {
  const [newHeader, setNewHeader] = useState('');
  const id = (field: string) => `${idPrefix}-${field}`;
  const addHeader = () => {
    const header = newHeader.trim();
    if (header && !headers.some((known) => known.toLowerCase() === header.toLowerCase())) {
      onChange([...headers, header]);
    }
    setNewHeader('');
  };
  return (
    <>
      {headers.map((header) => (
        <Stack key={header} alignItems="flex-end" gap={1}>
          <Field label={`Header ${header}`} htmlFor={id(`header-${header}`)} noMargin>
            <SecretInput
              id={id(`header-${header}`)}
              disabled={readOnly}
              width={48}
              isConfigured={isSaved(header)}
              value={valueOf(header)}
              onChange={({ currentTarget }) => on.onValue(header, currentTarget.value)}
              onReset={() => on.onReset(header)}
            />
          </Field>
          <Button
            variant="secondary"
            icon="times"
            disabled={readOnly}
            aria-label={`Remove header ${header}`}
            onClick={() => onChange(headers.filter((one) => one !== header))}
          />
        </Stack>
      ))}
      <Stack alignItems="flex-end" gap={1}>
        <Field label="Add a header" htmlFor={id('new-header')} noMargin>
          <Input
            id={id('new-header')}
            disabled={readOnly}
            width={24}
            placeholder={placeholder}
            value={newHeader}
            onChange={({ currentTarget }) => setNewHeader(currentTarget.value)}
          />
        </Field>
        <Button variant="secondary" icon="plus" disabled={readOnly || !newHeader.trim()} onClick={addHeader}>
          Add header
        </Button>
      </Stack>
    </>
  );
}
