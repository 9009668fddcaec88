import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../../tests/support/fake_clock.ts";
import { readChallenge } from "../bearer_challenge.ts";
import type { OAuthCredentials } from "../oauth_credentials.ts";
import { NamedServers } from "./named_servers.ts";

const CREDENTIALS = { issuer: null, tokenUrl: null } as OAuthCredentials;
const CHALLENGE = readChallenge(null);

function upstream(credentials: OAuthCredentials = CREDENTIALS) {
  const clock = new FakeClock();
  const metadata = { servers: ["https://as"], status: 200, reads: 0 };
  const servers = new NamedServers({
    ...{ url: new URL("https://u/"), credentials, clock },
    exchange: {
      ...{ caCertificate: undefined, allowsHttp: false },
      send: () => {
        metadata.reads++;
        const text = JSON.stringify({ resource: "https://u", authorization_servers: metadata.servers });
        return Promise.resolve({ status: metadata.status, contentType: "application/json", text });
      },
    },
  });
  return { clock, metadata, left: (issuer: string) => servers.haveLeft(issuer, CHALLENGE) };
}

Deno.test("NamedServers reads the metadata once in 5 s, for all who ask, also where they cannot be read", async () => {
  for (const status of [200, 503]) {
    const { clock, metadata, left } = upstream();
    metadata.status = status;
    assertEquals(await Promise.all([left("https://as"), left("https://as/")]), [false, false]);
    for (let n = 0; n < 10; n++) assertEquals(await left("https://as"), false);
    assertEquals(metadata.reads, 1);
    await clock.tick(5_000);
    assertEquals([await left("https://as"), metadata.reads], [false, 2]);
  }
});

Deno.test("NamedServers ends a login by no old answer, and by none where the operator has named the server", async () => {
  const { metadata, left } = upstream();
  assertEquals(await left("https://as"), false);
  // Somebody has logged in at the new server by now.
  metadata.servers = ["https://new"];
  assertEquals([await left("https://new"), await left("https://as"), metadata.reads], [false, true, 3]);
  assertEquals(await left("https://new"), false);
  const given = upstream({ ...CREDENTIALS, issuer: "https://as" });
  assertEquals([await given.left("https://elsewhere"), given.metadata.reads], [false, 0]);
});
