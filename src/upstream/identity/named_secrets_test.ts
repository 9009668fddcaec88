import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http_client/http_client.ts";
import { ReferencedClient } from "./referenced_client.ts";
import { CurrentSecrets, Secrets } from "./named_secrets.ts";

interface Written {
  readonly token: string;
}

const WRITTEN: Written = { token: "${file:token}" };
const URL_1 = new URL("https://mcp.test/mcp");

async function withSecret(
  run: (parts: {
    secrets: Secrets;
    source: CurrentSecrets<Written>;
    clock: FakeClock;
    write: (text: string) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const clock = new FakeClock();
    const secrets = new Secrets({ directory, command: null, clock });
    const write = (text: string) => Deno.writeTextFile(`${directory}/token`, text);
    await write("one");
    await run({ secrets, clock, write, source: new CurrentSecrets(secrets, WRITTEN, "up") });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a secret is read once, again after a refusal, and not more often than once a second", () =>
  withSecret(async ({ secrets, source, clock, write }) => {
    const first = await source.current();
    assertEquals([first, source.current() === first], [{ token: "one" }, true]);
    await write("two");
    assertEquals(await source.afterRefusal(first), null);
    await clock.tick(1_000);
    assertEquals(await source.afterRefusal(first), { token: "two" });
    // Another call was refused with the former one.
    assertEquals(await source.afterRefusal(first), { token: "two" });
    await write("three");
    secrets.renew();
    assertEquals(await source.current(), { token: "three" });
  }));

Deno.test("requests have the secret in place of the reference, and callers' own headers stay", () =>
  withSecret(async ({ source, clock, write }) => {
    const sent: string[] = [];
    let status = 200;
    const client: HttpClient = {
      send: ({ headers, url }: HttpRequest) => {
        const token = headers.find(([name]) => name === "authorization")?.[1];
        sent.push(`${token} ${url.searchParams.get("key")}`);
        return Promise.resolve({ status, discard() {} } as HttpResponse);
      },
      close() {},
    };
    const carriedOf = ({ token }: Written) => ({
      headers: [["authorization", `Bearer ${token}`] as const],
      query: [["key", token] as const],
    });
    const referenced = new ReferencedClient<Written>({
      isRefusal: (status) => status === 401,
      ...{ source, origin: URL_1.origin, written: carriedOf(WRITTEN), carriedOf, clientOf: () => client },
    });
    const url = new URL(URL_1);
    url.searchParams.set("key", WRITTEN.token);
    const send = (authorization: string, to = url) =>
      referenced.send({
        method: "POST",
        url: to,
        headers: Object.freeze([["authorization", authorization] as const]),
        upstream: "up",
      });
    const placeholder = `Bearer ${WRITTEN.token}`;
    await send(placeholder);
    await send("Bearer of-the-caller");
    await send(placeholder, new URL("https://else.test/mcp"));
    assertEquals(sent, ["Bearer one one", "Bearer of-the-caller one", `${placeholder} null`]);
    sent.length = 0;
    status = 401;
    await write("two");
    await clock.tick(1_000);
    await send(placeholder);
    assertEquals(sent, ["Bearer one one", "Bearer two two"]);
  }));
