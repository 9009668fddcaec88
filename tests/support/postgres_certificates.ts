// Certificates of an authority of their own, made by openssl for one test.

/** PEM texts. */
export interface Certificates {
  /** The root that signed `cert`. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** @param names whom the certificate is for, as openssl writes them @throws {Error} with openssl's words */
export async function makeCertificates(names = "IP:127.0.0.1,DNS:localhost"): Promise<Certificates> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_certificates_" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
  try {
    await Deno.writeTextFile(`${folder}/names`, `subjectAltName=${names}\n`);
    const ca = ["-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=Test CA"];
    await openssl(folder, "req", "-x509", ...newKey, ...ca);
    await openssl(folder, "req", ...newKey, "-keyout", "key", "-out", "request", "-subj", "/CN=localhost");
    const signed = [
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-extfile",
      "names",
      "-days",
      "2",
    ];
    await openssl(folder, "x509", "-req", "-in", "request", "-out", "crt", ...signed);
    return { ca: await read("ca.crt"), cert: await read("crt"), key: await read("key") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function openssl(cwd: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
