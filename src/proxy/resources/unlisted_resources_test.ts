import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { MemoryCache } from "../../cache/memory_cache.ts";
import { SluiceError } from "../../base/errors.ts";
import type { CallContext } from "../call/call_context.ts";
import { ResourceLinks } from "./resource_links.ts";
import { askForUnlisted } from "./unlisted_resources.ts";

/** A call at an endpoint with so many upstreams, which list nothing. */
function callOf(subject: string, upstreams = 0): CallContext {
  const gateways = Array.from(
    { length: upstreams },
    (_, n) => ({ id: `${n}`, capabilities: { resources: {} } }),
  );
  const scope = {
    server: null,
    toolsShowing: () => [],
    entriesOf: () => [],
    isGuarded: () => false,
    upstreams: () => gateways,
    whole: { entriesOf: () => [] },
  };
  return { principal: principal({ subject }), scope, revision: "2025-11-25" } as unknown as CallContext;
}

function setUp() {
  const records = new MemoryCache(new FakeClock());
  return { worker: () => new ResourceLinks(records) };
}

Deno.test("ResourceLinks keeps a caller's newest 500 links, in this worker and the shared record", async () => {
  const { worker } = setUp();
  const [links, ann] = [worker(), callOf("ann")];
  await links.note(ann, "up", Array.from({ length: 501 }, (_, n) => `up://${n}`));
  for (const each of [links, worker()]) {
    assertEquals(
      await Promise.all(["up://0", "up://1", "up://500"].map((uri) => each.find(ann, uri))),
      [undefined, "up", "up"],
    );
  }
});

Deno.test("ResourceLinks keeps 32 KiB of a caller's links, and none that is longer", async () => {
  const { worker } = setUp();
  const [links, ann] = [worker(), callOf("ann")];
  const long = (n: number) => `up://${n}/`.padEnd(1_000, "x");
  await links.note(ann, "up", [
    ...Array.from({ length: 40 }, (_, n) => long(n)),
    "up://".padEnd(32 * 1024 + 1, "x"),
  ]);
  const known = (n: number) => links.known(ann, long(n)) !== undefined;
  assertEquals([known(0), known(39), Array.from({ length: 40 }, (_, n) => n).filter(known).length], [
    false,
    true,
    32,
  ]);
  assertEquals(links.known(ann, "up://".padEnd(32 * 1024 + 1, "x")), undefined);
});

Deno.test("ResourceLinks keeps 500 callers' links in a worker, and finds those of others in the shared records", async () => {
  const { worker } = setUp();
  const links = worker();
  for (let n = 0; n < 501; n++) await links.note(callOf(`${n}`), "up", ["up://one"]);
  const first = callOf("0");
  assertEquals(links.known(first, "up://one"), undefined);
  assertEquals(links.known(callOf("500"), "up://one"), "up");
  assertEquals(await links.find(first, "up://one"), "up");
});

Deno.test("askForUnlisted() asks eight upstreams, and answers RESOURCE_NOT_FOUND if none of them knows the URI", async () => {
  const asked: string[] = [];
  const answer = { text: '{"code":-32002,"message":"no"}', failed: true };
  const error = await assertRejects(
    () =>
      askForUnlisted(setUp().worker(), callOf("ann", 12), "up://one", ({ id }) => {
        asked.push(id);
        return Promise.resolve(answer);
      }),
    SluiceError,
  );
  assertEquals([error.code, asked], ["RESOURCE_NOT_FOUND", ["0", "1", "2", "3", "4", "5", "6", "7"]]);
});
