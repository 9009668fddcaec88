import { assertEquals, assertStringIncludes } from "@std/assert";
import type { PageCall, View } from "../call/page_call.ts";
import { overviewPage } from "./overview_page.tsx";

function upstream(name: string, more: Record<string, unknown>) {
  return {
    ...{ id: name, name, enabled: true, status: "ready", reachable: true, callsUnderWay: null },
    ...{ toolCount: 1, resourceCount: 0, promptCount: 0, lastError: null, ...more },
  };
}

/** The part of the overview, and what it asks the API for. */
async function attention(...upstreams: unknown[]): Promise<{ html: string; asked: string[] }> {
  const asked: string[] = [];
  const answer = await overviewPage({
    query: new URLSearchParams("attention"),
    viewer: { can: () => false },
    figures: () => Promise.resolve(null),
    rest: {
      find: (path: string) => {
        asked.push(path);
        return Promise.resolve(path === UPSTREAMS ? upstreams : null);
      },
    },
  } as unknown as PageCall) as View;
  return { html: String(await answer.body), asked };
}

const UPSTREAMS = "/gateways?limit=0&include_inactive=true";

Deno.test("what needs attention counts held changes, and reads none of them", async () => {
  const { html, asked } = await attention(
    upstream("one", { heldCount: 4_000 }),
    upstream("two", { heldCount: 2 }),
    upstream("not to approve", {}),
  );
  assertStringIncludes(html, "4,002 changes of upstreams wait");
  assertEquals(asked, [UPSTREAMS]);
});

Deno.test("what needs attention names an upstream that answers and fails, after those that do not answer", async () => {
  const { html } = await attention(
    upstream("refused", { lastError: "its credentials are refused" }),
    upstream("well", {}),
    upstream("gone", { reachable: false, lastError: "connection refused" }),
  );
  const at = ["upstreams/gone", "connection refused", "upstreams/refused", "its credentials are refused"]
    .map((text) => html.indexOf(text));
  assertEquals([at, at.includes(-1), html.includes("upstreams/well")], [
    at.toSorted((a, b) => a - b),
    false,
    false,
  ]);
});
