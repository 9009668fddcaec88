import { assertEquals, assertRejects } from "@std/assert";
import type { LoginExchange } from "../login_exchange.ts";
import { LoginFault } from "../login_fault.ts";
import { firstChallenge } from "./first_challenge.ts";

type Refusal = { readonly status: number; readonly challenge?: string; readonly sessionId?: string } | Error;

/** @param refusals by JSON-RPC method, or by HTTP method; everything else is 200 */
async function ask(refusals: Readonly<Record<string, Refusal>>, transport = "STREAMABLEHTTP") {
  const asked: string[] = [];
  const exchange: LoginExchange = {
    ...{ caCertificate: undefined, allowsHttp: false },
    send: ({ method, body, headers, isHeadOnly }) => {
      assertEquals(isHeadOnly, true);
      const session = headers.find(([name]) => name === "mcp-session-id");
      const name: string = session?.join(" ") ?? (body === undefined ? method : JSON.parse(body).method);
      asked.push(name);
      const refusal = refusals[name] ?? { status: 200 };
      if (refusal instanceof Error) return Promise.reject(refusal);
      return Promise.resolve({ contentType: null, text: "", ...refusal });
    },
  };
  const { scope } = await firstChallenge(exchange, { url: new URL("https://u/mcp"), transport });
  return { scope, asked };
}

const refused = (scope: string) => ({ status: 401, challenge: `Bearer scope="${scope}"` });

Deno.test("firstChallenge() asks for a list, then for a session, and takes the first 401", async () => {
  assertEquals(await ask({ "tools/list": refused("list"), initialize: refused("session") }), {
    scope: "list",
    asked: ["tools/list"],
  });
  const both = ["tools/list", "initialize"];
  assertEquals(await ask({ "tools/list": { status: 400 }, initialize: refused("session") }), {
    scope: "session",
    asked: both,
  });
  assertEquals(await ask({ "tools/list": new Error("too long"), initialize: refused("session") }), {
    scope: "session",
    asked: both,
  });
  assertEquals(await ask({}), { scope: null, asked: both });
  await assertRejects(() => ask({ initialize: new Error("gone") }), LoginFault, "cannot reach");
  assertEquals(await ask({ GET: refused("stream") }, "SSE"), { scope: "stream", asked: ["GET"] });
  assertEquals(await ask({ GET: new Error("no end") }, "SSE"), { scope: null, asked: ["GET"] });
});

Deno.test("firstChallenge() ends the session that an upstream has opened for it", async () => {
  const opened = { status: 200, sessionId: "s1" };
  const asked = ["tools/list", "initialize", "mcp-session-id s1"];
  assertEquals(await ask({ initialize: opened }), { scope: null, asked });
  // The upstream does not let go of it.
  assertEquals(await ask({ initialize: opened, "mcp-session-id s1": new Error("no answer") }), {
    ...{ scope: null, asked },
  });
});
