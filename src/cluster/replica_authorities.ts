// Whom other replicas' certificates may be signed by: the file of REPLICA_SSL_CA_CERTS, proven to hold what it should.
import { X509Certificate } from "node:crypto";
import { SluiceError } from "../base/errors.ts";
import { readFault } from "../base/file_error.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** @returns PEM text @throws {SluiceError} SETTINGS_INVALID with the file and what is wrong with it */
export async function readAuthorities(path: string): Promise<string> {
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (cause) {
    throw unusable(`${path} cannot be read: ${readFault(cause)}`, cause);
  }
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw unusable(`${path} holds no PEM certificate`);
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      throw unusable(`${path}: certificate ${index + 1} cannot be read`, cause);
    }
  }
  return pem;
}

function unusable(reason: string, cause?: unknown): SluiceError {
  const mistake = `REPLICA_SSL_CA_CERTS: ${reason}`;
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { cause, data: [mistake] });
}
