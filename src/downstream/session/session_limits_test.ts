import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { type CountedSession, SessionLimits } from "./session_limits.ts";

type Named = CountedSession & { readonly name: string };

function session(name: string, more: Partial<CountedSession> = {}, serverId: string | null = null): Named {
  const [subject] = name.split(" ");
  const owner = { issuer: "i", subject: subject!, reach: "", serverId };
  return { name, owner, lastUsedAt: Number(name.split(" ")[1]), isBusy: false, ...more };
}

function limits(perCaller: number, perWorker: number, ...sessions: Named[]) {
  const limits = new SessionLimits<Named>({ perCaller, perWorker });
  for (const each of sessions) limits.add(each);
  const room = (subject: string) =>
    limits.makeRoom({ issuer: "i", subject, reach: "", serverId: null }).map(({ name }) => name);
  const code = (subject: string) => assertThrows(() => room(subject), SluiceError).code;
  return { limits, room, code };
}

Deno.test("SessionLimits.makeRoom() ends the caller's least recently used session, never a busy or foreign one", () => {
  const { room } = limits(
    3,
    100,
    session("ann 1"),
    session("bob 2", { isBusy: true }),
    session("bob 4"),
    session("bob 3", {}, "a virtual server"),
  );
  assertEquals([room("ann"), room("bob"), room("bob")], [[], ["bob 3"], []]);
});

Deno.test("SessionLimits.makeRoom() refuses a caller whose sessions are all busy", () => {
  const { code, room } = limits(1, 100, session("bob 1", { isBusy: true }));
  assertEquals([code("bob"), room("ann")], ["TOO_MANY_SESSIONS", []]);
});

Deno.test("SessionLimits.makeRoom() ends an idle session of the caller with the most when the worker is full", () => {
  const busy = { isBusy: true };
  const bobs = [session("bob 5"), session("bob 4"), session("bob 3", busy)];
  const { room, limits: all } = limits(9, 5, session("ann 1"), session("ann 2", busy), ...bobs);
  assertEquals(room("eve"), ["bob 4"]);
  all.add(session("eve 9", busy));
  assertEquals([room("ann"), room("ann")], [["ann 1"], []]);
});

Deno.test("SessionLimits.makeRoom() refuses everybody when the worker is full of busy sessions", () => {
  const { code } = limits(9, 1, session("ann 1", { isBusy: true }));
  assertEquals(code("bob"), "OVERLOADED");
});
