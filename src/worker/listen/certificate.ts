// The server's certificate and key: read from their files, decrypted, and proven to belong together before anything listens.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";

export interface KeyPair {
  /** The chain, PEM. */
  readonly cert: string;
  /** PKCS#8, PEM, not encrypted. */
  readonly key: string;
  /** When the certificate ends, ms since the epoch. */
  readonly expiresAt: number;
}

export type TlsConfig = Pick<Config, "certFile" | "keyFile" | "keyFilePassword">;

/** @throws {SluiceError} CERTIFICATE_UNUSABLE with the file and what is wrong with it; never with what it holds */
export async function readKeyPair({ certFile, keyFile, keyFilePassword }: TlsConfig): Promise<KeyPair> {
  if (certFile === null || keyFile === null) throw unusable("SSL=true needs CERT_FILE and KEY_FILE");
  const cert = await read("CERT_FILE", certFile);
  const pem = await read("KEY_FILE", keyFile);
  const certificate = parseCertificate(cert, certFile);
  const key = parseKey(pem, keyFile, keyFilePassword);
  if (!certificate.checkPrivateKey(key)) {
    throw unusable(`KEY_FILE ${keyFile} is not the key of the certificate in CERT_FILE ${certFile}`);
  }
  return {
    cert,
    key: String(key.export({ type: "pkcs8", format: "pem" })),
    expiresAt: Date.parse(certificate.validTo),
  };
}

/** What an operator should know of a certificate that works; null: nothing. */
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
    throw unusable(`${setting} ${file} cannot be read: ${reasonOf(cause)}`, cause);
  }
}

function parseCertificate(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw unusable(`CERT_FILE ${file} holds no PEM certificate`, cause);
  }
}

function parseKey(pem: string, file: string, passphrase: string | null): KeyObject {
  const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
  if (isEncrypted && passphrase === null) {
    throw unusable(`KEY_FILE ${file} is encrypted: set KEY_FILE_PASSWORD`);
  }
  try {
    return isEncrypted
      ? createPrivateKey({ key: pem, format: "pem", passphrase: passphrase! })
      : createPrivateKey({ key: pem, format: "pem" });
  } catch (cause) {
    const reason = isEncrypted
      ? "cannot be decrypted with KEY_FILE_PASSWORD (or not by this program: re-encrypt it with `openssl pkcs8 -topk8 -v2 aes256`)"
      : "holds no PEM private key";
    throw unusable(`KEY_FILE ${file} ${reason}`, cause);
  }
}

function unusable(reason: string, cause?: unknown): SluiceError {
  return new SluiceError("CERTIFICATE_UNUSABLE", { reason }, { cause });
}
