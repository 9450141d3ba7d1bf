import { Field, TextArea } from '@grafana/ui';

interface Props {
  id: string;
  /** Whose certificate it is. */
  whose: string;
  ca?: string;
  readOnly: boolean;
  onChange: (ca: string | undefined) => void;
}

/** Edits what a TLS certificate is checked against. */
export function CertificateField({ id, whose, ca, readOnly, onChange }: Props) {
  return (
    <Field
      label="CA certificate"
      htmlFor={id}
      description={`PEM text to check the ${whose}'s certificate against, where it is not a public one`}
      noMargin
    >
      <TextArea
        id={id}
        disabled={readOnly}
        rows={ca ? 6 : 1}
        cols={80}
        placeholder="-----BEGIN CERTIFICATE-----"
        value={ca ?? ''}
        onChange={({ currentTarget }) => onChange(currentTarget.value || undefined)}
      />
    </Field>
  );
}
