import { assertEquals, assertStringIncludes } from "@std/assert";
import type { PageCall, View } from "../call/page_call.ts";
import { overviewPage } from "./overview_page.tsx";

Deno.test("what needs attention counts held changes, and reads none of them", async () => {
  const upstream = (name: string, more: Record<string, unknown>) => ({
    ...{ id: name, name, enabled: true, status: "ready", reachable: true, callsUnderWay: null },
    ...{ toolCount: 1, resourceCount: 0, promptCount: 0, ...more },
  });
  const answers: Readonly<Record<string, unknown>> = {
    "/gateways?limit=0&include_inactive=true": [
      upstream("one", { heldCount: 4_000 }),
      upstream("two", { heldCount: 2 }),
      upstream("not to approve", {}),
    ],
  };
  const asked: string[] = [];
  const answer = await overviewPage({
    query: new URLSearchParams("attention"),
    viewer: { can: () => false },
    figures: () => Promise.resolve(null),
    rest: {
      find: (path: string) => {
        asked.push(path);
        return Promise.resolve(answers[path] ?? null);
      },
    },
  } as unknown as PageCall) as View;
  assertStringIncludes(String(await answer.body), "4,002 changes of upstreams wait");
  assertEquals(asked, Object.keys(answers));
});
