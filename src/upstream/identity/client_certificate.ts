// Room `identity`: what shows an upstream who the gateway is, besides a header: its certificate in TLS. This file has the pair of
// certificate and key, and what may be wrong with it.
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** The certificate of the gateway in the TLS handshake, with its key. */
export interface ClientCertificate {
  /** PEM: the certificate, and those of the authorities between it and one that the upstream knows. */
  readonly cert: string;
  /** PEM without a passphrase. */
  readonly key: string;
}

export type CertificatePart = "client_cert" | "client_key";

/** A pair cannot be used. The text names no part of the key. */
export class CertificateFault extends Error {
  override readonly name = "CertificateFault";

  constructor(readonly part: CertificatePart, message: string) {
    super(message);
  }
}

export interface CheckedCertificate extends ClientCertificate {
  /** Names the pair without telling it: SHA-256. */
  readonly id: string;
  /** ms since the epoch. */
  readonly validUntil: number;
}

/** @param now ms since the epoch @throws {CertificateFault} */
export function checkedCertificate({ cert, key }: ClientCertificate, now: number): CheckedCertificate {
  const certificate = leafOf(cert);
  if (!certificate.checkPrivateKey(privateKeyOf(key))) {
    throw new CertificateFault("client_key", "does not belong to client_cert");
  }
  const [from, until] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (from > now) {
    throw new CertificateFault("client_cert", `is not valid before ${new Date(from).toISOString()}`);
  }
  if (until < now) throw new CertificateFault("client_cert", expiryText(until));
  return { cert, key, id: idOf(cert, key), validUntil: until };
}

export function expiryText(validUntil: number): string {
  return `has expired on ${new Date(validUntil).toISOString()}`;
}

function leafOf(cert: string): X509Certificate {
  try {
    // Of several certificates the first one is the client's.
    return new X509Certificate(cert);
  } catch {
    throw new CertificateFault("client_cert", "is no certificate in PEM");
  }
}

function privateKeyOf(key: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    const isLocked = /ENCRYPTED/.test(key);
    throw new CertificateFault(
      "client_key",
      isLocked
        ? "is encrypted: give the key without a passphrase (openssl pkey -in FILE)"
        : "is no private key in PEM",
    );
  }
}

/** Each way to cut the two texts has another id. */
function idOf(cert: string, key: string): string {
  return createHash("sha256").update(JSON.stringify([cert, key])).digest("hex");
}
