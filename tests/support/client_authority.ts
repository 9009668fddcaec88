// An authority that issues certificates for servers and their clients, made by openssl for one test.
import { openssl } from "./self_signed.ts";

export interface Pair {
  /** PEM */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority {
  /** PEM */
  readonly cert: string;
  readonly certFile: string;
  /** A certificate for 127.0.0.1 and localhost, valid for 30 days. */
  issue(name: string): Promise<Pair>;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export async function makeAuthority(folder: string, name: string): Promise<Authority> {
  const path = (file: string, part: string) => `${folder}/${name}-${file}.${part}.pem`;
  const [certFile, keyFile] = [path("ca", "cert"), path("ca", "key")];
  await openssl(
    ...["req", "-x509", ...KEY, "-keyout", keyFile, "-out", certFile, "-days", "30", "-subj", `/CN=${name}`],
  );
  return {
    cert: await Deno.readTextFile(certFile),
    certFile,
    async issue(client) {
      const [own, key, request, extensions] = ["cert", "key", "request", "ext"].map((part) =>
        path(client, part)
      ) as [string, string, string, string];
      const ext = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n";
      await Deno.writeTextFile(extensions, ext);
      await openssl("req", ...KEY, "-keyout", key, "-out", request, "-subj", `/CN=${client}`);
      await openssl(
        ...["x509", "-req", "-in", request, "-out", own, "-days", "30", "-CA", certFile, "-CAkey", keyFile],
        ...["-CAcreateserial", "-extfile", extensions],
      );
      return {
        cert: await Deno.readTextFile(own),
        key: await Deno.readTextFile(key),
        certFile: own,
        keyFile: key,
      };
    },
  };
}
