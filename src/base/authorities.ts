// Certificate authorities that the operator names in a setting: a PEM file, checked when the gateway starts.
import { X509Certificate } from "node:crypto";
import { SluiceError } from "./errors.ts";
import { readFault } from "./file_error.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Reads the file that `setting` names.
 * @returns PEM text
 * @throws {SluiceError} SETTINGS_INVALID with the setting, the file and what is wrong with it
 */
export function readAuthorities(setting: string, path: string): string {
  const unusable = (reason: string, cause?: unknown) => {
    const mistake = `${setting}: ${reason}`;
    return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { cause, data: [mistake] });
  };
  let pem: string;
  try {
    pem = Deno.readTextFileSync(path);
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
