import { assertEquals, assertRejects } from "@std/assert";
import { beforeTimer } from "./pace.ts";
import { waitFor } from "./wait_for.ts";

Deno.test("Waiting ends with the first look that gives something", async () => {
  const looks = [undefined, false, [], [1], [2]];
  assertEquals(await waitFor(() => looks.shift(), { what: "a list with something in it", everyMs: 1 }), [1]);
  assertEquals(looks, [[2]]);
});

Deno.test("What the last look gave or threw is told", async () => {
  const what = () => "the log's end: " + log;
  let log = "nothing";
  const probe = () => {
    log = "ready";
    return false;
  };
  await assertRejects(
    () => waitFor(probe, { what, deadlineMs: 0 }),
    Error,
    "Waited 0 ms in vain for the log's end: ready: the last look gave false",
  );
  const refuse = () => Promise.reject(new TypeError("refused"));
  const error = await assertRejects(() => waitFor(refuse, { what: "it", deadlineMs: 0 }), Error);
  assertEquals(error.message, "Waited 0 ms in vain for it: the last look threw TypeError: refused");
  assertEquals((error.cause as Error).message, "refused");
});

Deno.test("A look that does not return ends at the deadline too", async () => {
  const hang = () => new Promise<boolean>(() => {});
  await beforeTimer(30_000, async () => {
    await assertRejects(
      () => waitFor(hang, { what: "an answer", deadlineMs: 50 }),
      Error,
      "Waited 50 ms in vain for an answer: no look has returned",
    );
  });
});
