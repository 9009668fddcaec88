// STAND-IN: the author's own file at this path was overwritten by mistake; this was written anew from its use. Put yours back.

/** A certificate for localhost and its key, as PEM files. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes a self-signed certificate in `folder`, whose common name is `name`. */
export async function makeCertificate(folder: string, name: string): Promise<TestCertificate> {
  const certFile = `${folder}/${name}.crt.pem`;
  const keyFile = `${folder}/${name}.key.pem`;
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", keyFile];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await openssl("req", "-x509", ...key, "-out", certFile, "-days", "2", ...names);
  return { certFile, keyFile };
}

/** Runs openssl. @throws {Error} with its words when it fails */
export async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
