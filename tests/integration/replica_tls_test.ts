// Requests between replicas over what their ports speak: HTTP/2 alone, TLS, both; and replicas that cannot trust each other.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { makeCertificates } from "../support/postgres_certificates.ts";
import { canLeaveOut } from "../support/programs.ts";
import { makeSelfSigned } from "../support/self_signed.ts";
import { Sluice } from "../support/sluice.ts";
import { known, withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";

const ignore = canLeaveOut("openssl");

/** A private authority in a folder of its own, and a certificate of its for these names, as settings of a gateway. */
async function authority(names?: string) {
  const { ca, cert, key } = await makeCertificates(names);
  const folder = await Deno.makeTempDir({ prefix: "sluice_replica_tls_" });
  const file = async (name: string, text: string) => {
    await Deno.writeTextFile(`${folder}/${name}`, text);
    return `${folder}/${name}`;
  };
  return {
    settings: {
      SSL: "true",
      // With the authority: whoever talks to the gateway in a test trusts what is in this file.
      CERT_FILE: await file("chain.pem", cert + ca),
      KEY_FILE: await file("key.pem", key),
      REPLICA_SSL_CA_CERTS: await file("ca.pem", ca),
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** What a session's counter says, or the answer's error in its place. */
async function count(sluice: Sluice, token: string, id: string) {
  const { body } = await post(sluice, toolCall("counter-increment"), { token, headers: inSession(id) });
  return body.error ?? body.result.content[0].text;
}

const forwards = (sluice: Sluice, result: string) => metric(sluice, "sluice_replica_forwards_total", result);

/** Each replica answers for the other's sessions, and has them when that dies. */
async function serveEachOther(settings: Record<string, string>): Promise<void> {
  await using upstream = CounterUpstream.start();
  await withTwo(async (one, other, token) => {
    await one.registerUpstream("counter", upstream.url);
    await known(other, "counter-increment");
    const ids = await Promise.all([one, one, other, other].map((at) => openSession(at, { token })));
    const countAll = (at: Sluice) => Promise.all(ids.map((id) => count(at, token, id)));
    assertEquals([await countAll(one), await countAll(other)], [ids.map(() => "1"), ids.map(() => "2")]);
    assertEquals(await Promise.all([one, other].map((at) => forwards(at, "answered"))), [2, 2]);
    await one.kill();
    assertEquals(await countAll(other), ["1", "1", "3", "3"]);
    assertEquals(await metric(other, "sluice_sessions_taken_over_total"), 2);
  }, settings);
}

Deno.test({
  name: "Replicas with one self-signed certificate serve each other's sessions",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "sluice_replica_tls_" });
    const { certFile, keyFile } = await makeSelfSigned(folder, "all");
    const trusted = { CERT_FILE: certFile, KEY_FILE: keyFile, REPLICA_SSL_CA_CERTS: certFile };
    await serveEachOther({ SSL: "true", ...trusted });
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("Replicas with HTTP_VERSION=2 serve each other's sessions", async () => {
  await serveEachOther({ HTTP_VERSION: "2" });
});

for (const version of ["auto", "2"]) {
  Deno.test({
    name: `Replicas with TLS by a private authority and HTTP_VERSION=${version} serve each other's sessions`,
    ignore,
    fn: async () => {
      await using its = await authority();
      await serveEachOther({ ...its.settings, HTTP_VERSION: version });
    },
  });
}

Deno.test({
  name:
    "A replica is sent nothing whose certificate is by a strange authority, or for another name than its address",
  ignore,
  fn: async () => {
    await using upstream = CounterUpstream.start();
    await using its = await authority("IP:127.0.0.1");
    await using strange = await authority();
    await withTwo(
      async (one, other, token) => {
        await one.registerUpstream("counter", upstream.url);
        await known(other, "counter-increment");
        const refused = async (asked: Sluice, owner: Sluice, reason: string) => {
          const id = await openSession(owner, { token });
          assertEquals(await count(owner, token, id), "1");
          const { code, data, message } = await count(asked, token, id);
          assertEquals([code, data.code], [-31549, "REPLICA_UNTRUSTED"]);
          assertStringIncludes(message, "REPLICA_SSL_CA_CERTS");
          const logged = await waitFor(() => asked.log().find((line) => line.code === data.code), {
            what: "the reason in the log",
          });
          assertStringIncludes(String(logged.cause), reason);
          assertEquals([await forwards(asked, "untrusted"), await forwards(asked, "gone")], [1, 0]);
          assertEquals(await count(owner, token, id), "2", "its replica is not declared gone for it");
        };
        await refused(one, other, `https://127.0.0.1:${other.port}: its certificate is not signed`);
        await refused(
          other,
          one,
          `https://localhost:${one.port}: its certificate is not valid for "localhost"`,
        );
      },
      its.settings,
      [
        { REPLICA_ADDRESS: "localhost", REPLICA_SSL_CA_CERTS: strange.settings.REPLICA_SSL_CA_CERTS },
        {},
      ],
    );
  },
});

Deno.test({
  name: "serve ends with a clear error where REPLICA_SSL_CA_CERTS holds no certificate",
  ignore,
  fn: async () => {
    await using its = await authority();
    const rows = [
      ["/no/such.pem", "/no/such.pem cannot be read"],
      [its.settings.KEY_FILE, `${its.settings.KEY_FILE} holds no PEM certificate`],
    ] as const;
    for (const [file, words] of rows) {
      await using sluice = await Sluice.spawn({ env: { ...its.settings, REPLICA_SSL_CA_CERTS: file } });
      assertEquals(await sluice.exit(), 2);
      const text = sluice.stdout.tail() + sluice.stderr.tail();
      assert(text.includes(words), text);
    }
  },
});
