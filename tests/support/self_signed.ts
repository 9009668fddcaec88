// Certificates of the gateway's own, made for one test.

import { run } from "./command.ts";

export interface SelfSigned {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A self-signed certificate for 127.0.0.1 and localhost in `folder`, whose subject and files are called `name`. */
export async function makeSelfSigned(folder: string, name: string): Promise<SelfSigned> {
  const [certFile, keyFile] = [`${folder}/${name}.cert.pem`, `${folder}/${name}.key.pem`];
  await openssl(
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", keyFile, "-out", certFile, "-days", "30", "-subj", `/CN=${name}`],
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
  );
  return { certFile, keyFile };
}

/** @throws {Error} with what it said, where it failed */
export async function openssl(...args: string[]): Promise<string> {
  const { code, text } = await run("openssl", args);
  if (code !== 0) throw new Error(`openssl ${args[0]} failed:\n${text}`);
  return text;
}
