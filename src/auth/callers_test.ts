import { assertEquals, assertThrows } from "@std/assert";
import { principal } from "../../tests/support/fakes.ts";
import { SluiceError } from "../base/errors.ts";
import { ClientMemory } from "../base/sharing/client_memory.ts";
import { ANONYMOUS } from "./authenticate.ts";
import { Callers } from "./callers.ts";

const LIMITS = { calls: 2, streams: 1 };

Deno.test("Callers.enter() counts all tokens of one issuer and subject together, and others apart", () => {
  const callers = new Callers(LIMITS, new ClientMemory(Infinity));
  const refused = (who: ReturnType<typeof principal>) =>
    assertThrows(() => callers.enter(who), SluiceError).code;
  const one = callers.enter(principal())!;
  const narrowed = principal({ jti: "another token", serverId: "s", permissions: ["tools.execute"] });
  assertEquals(callers.enter(narrowed), one);
  assertEquals(refused(principal()), "TOO_MANY_CALLS_OF_CALLER");
  callers.enter(principal({ subject: "bob" }));
  callers.enter(principal({ issuer: "another" }));
  one.calls--;
  assertEquals(callers.enter(principal()), one);
});

Deno.test("Callers.enter() does not limit callers that it cannot tell apart", () => {
  const callers = new Callers(LIMITS, new ClientMemory(Infinity));
  for (let n = 0; n < 10; n++) assertEquals(callers.enter(ANONYMOUS), undefined);
  callers.requireStream(ANONYMOUS);
});

Deno.test("Callers.leaveAsStream() keeps the place as a call where the caller has as many streams as it may", async () => {
  const callers = new Callers(LIMITS, new ClientMemory(Infinity));
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const caller = callers.enter(principal())!;
  callers.leaveAsStream(caller, first.promise);
  callers.enter(principal());
  callers.leaveAsStream(caller, second.promise);
  assertEquals([caller.calls, caller.streams], [1, 1]);
  assertThrows(() => callers.requireStream(principal()), SluiceError, "MAX_STREAMS_PER_CALLER");
  first.resolve();
  second.reject(new Error("broken"));
  await Promise.allSettled([first.promise, second.promise]);
  await undefined;
  assertEquals([caller.calls, caller.streams], [0, 0]);
});

Deno.test("Callers forget who has nothing under way, and nobody else", () => {
  const callers = new Callers(LIMITS, new ClientMemory(Infinity), 3);
  const busy = callers.enter(principal({ subject: "busy" }))!;
  for (let n = 0; n < 100; n++) callers.of(principal({ subject: `user ${n}` }));
  assertEquals([callers.size <= 3, callers.of(principal({ subject: "busy" })) === busy], [true, true]);
});

Deno.test("Callers.owning() gives the caller of a session's owner, before its first call and after", () => {
  const callers = new Callers({ calls: 1, streams: 1 }, new ClientMemory(Infinity));
  const ann = principal();
  const before = callers.owning(ann);
  assertEquals([before === callers.of(ann), before === callers.owning(ann)], [true, true]);
  assertEquals(callers.owning(ANONYMOUS), undefined);
});
