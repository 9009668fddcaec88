// Reads the certificate and key, decrypts the key, and checks that they match before the gateway listens.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { SluiceError } from "../../base/errors.ts";
import { readFault } from "../../base/file_error.ts";
import type { Config } from "../../config/schema.ts";

export interface KeyPair {
  /** The certificate chain, PEM. */
  readonly cert: string;
  /** PKCS#8, PEM, not encrypted. */
  readonly key: string;
  /** When the certificate ends, ms since the epoch. */
  readonly expiresAt: number;
}

export type TlsConfig = Pick<Config, "certFile" | "keyFile" | "keyFilePassword">;

/**
 * Reads and checks the certificate and its key.
 * @throws {SluiceError} SETTINGS_INVALID if a file is not named; CERTIFICATE_UNUSABLE with the file and its fault, never with
 * its content
 */
export async function readKeyPair({ certFile, keyFile, keyFilePassword }: TlsConfig): Promise<KeyPair> {
  if (certFile === null || keyFile === null) throw incomplete();
  const cert = await read("CERT_FILE", certFile);
  const pem = await read("KEY_FILE", keyFile);
  const certificate = parseCertificate(cert, certFile);
  const key = parseKey(pem, keyFile, keyFilePassword);
  if (!certificate.checkPrivateKey(key)) {
    throw unusable(
      `KEY_FILE ${keyFile} is not the key of the certificate in CERT_FILE ${certFile}. Name a key and a certificate ` +
        "that belong together",
    );
  }
  return {
    cert,
    key: String(key.export({ type: "pkcs8", format: "pem" })),
    expiresAt: Date.parse(certificate.validTo),
  };
}

/** A warning for a certificate that has expired or soon will; null: no warning. */
export function expiryWarning({ expiresAt }: KeyPair, now: number): string | null {
  const days = Math.floor((expiresAt - now) / DAY_MS);
  const date = new Date(expiresAt).toISOString().slice(0, 10);
  if (days < 0) return `the certificate in CERT_FILE has expired on ${date}: clients will refuse it`;
  return days < WARN_BEFORE_DAYS ? `the certificate in CERT_FILE expires on ${date}` : null;
}

const DAY_MS = 86_400_000;
const WARN_BEFORE_DAYS = 14;

async function read(setting: string, file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    throw unusable(`${setting} ${file} cannot be read: ${readFault(cause)}`, cause);
  }
}

function parseCertificate(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw unusable(`CERT_FILE ${file} holds no certificate. Name a certificate chain in PEM format`, cause);
  }
}

function parseKey(pem: string, file: string, passphrase: string | null): KeyObject {
  const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
  if (isEncrypted && passphrase === null) {
    throw unusable(`KEY_FILE ${file} is encrypted. Set KEY_FILE_PASSWORD`);
  }
  try {
    return isEncrypted
      ? createPrivateKey({ key: pem, format: "pem", passphrase: passphrase! })
      : createPrivateKey({ key: pem, format: "pem" });
  } catch (cause) {
    const reason = isEncrypted
      ? "cannot be decrypted with KEY_FILE_PASSWORD. Correct the password; if it is right, convert the key with " +
        "`openssl pkcs8 -topk8 -v2 aes256`"
      : "holds no private key. Name a private key in PEM format";
    throw unusable(`KEY_FILE ${file} ${reason}`, cause);
  }
}

function incomplete(): SluiceError {
  const mistake = "SSL=true needs CERT_FILE and KEY_FILE. Set both, or set SSL=false";
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}

function unusable(reason: string, cause?: unknown): SluiceError {
  return new SluiceError("CERTIFICATE_UNUSABLE", { reason }, { cause });
}
