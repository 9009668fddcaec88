// The fields of an upstream's form about TLS: whom the gateway trusts, and what it presents.
import { type FormState, TextField } from "../parts/form.tsx";

export function CertificateFields({ form, isNew }: { readonly form: FormState; readonly isNew: boolean }) {
  return (
    <>
      <TextField
        {...{ name: "ca_certificate", label: "CA certificate", form, rows: 4 }}
        isCode
        placeholder="-----BEGIN CERTIFICATE-----"
        hint="Of the authority that signed the upstream's certificate, PEM. Empty: the public ones."
      />
      <TextField
        {...{ name: "client_cert", label: "Client certificate", form, rows: 4 }}
        isCode
        placeholder="-----BEGIN CERTIFICATE-----"
        hint="What the gateway presents to an upstream that wants one (mTLS), PEM. Empty: none."
      />
      <TextField
        {...{ name: "client_key", label: "Its private key", form, rows: 4 }}
        isCode
        placeholder="-----BEGIN PRIVATE KEY-----"
        hint={`PEM without a passphrase.${isNew ? "" : " Empty: the stored one stays."}`}
      />
    </>
  );
}
