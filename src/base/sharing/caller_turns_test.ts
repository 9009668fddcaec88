import { assert, assertEquals } from "@std/assert";
import { CallerTurns } from "./caller_turns.ts";

const owner = (subject: string) => ({ issuer: "i", subject });

Deno.test("CallerTurns.run() does so much of a caller's work at once, in order; another caller's begins at once", async () => {
  const turns = new CallerTurns(2);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) =>
    turns.run(owner(name.split(" ")[0]!), () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    });
  const all = ["eve 1", "eve 2", "eve 3", "eve 4", "bob 1"].map(work);
  assertEquals(begun, ["eve 1", "eve 2", "bob 1"]);
  ends.get("eve 2")!();
  await all[1];
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(begun.slice(3), ["eve 3"]);
  for (const name of ["eve 1", "eve 3", "bob 1"]) ends.get(name)!();
  await Promise.all([all[0], all[2]]);
  await new Promise((resolve) => setTimeout(resolve));
  ends.get("eve 4")!();
  await Promise.all(all);
  assertEquals(begun.slice(4), ["eve 4"]);
});

Deno.test("CallerTurns.run() leaves the event loop between two pieces that never wait, and goes on after a failure", async () => {
  const turns = new CallerTurns(1);
  const events: string[] = [];
  setTimeout(() => events.push("another's"), 0);
  const pieces = [1, 2].map((n) =>
    turns.run(owner("eve"), () => {
      events.push(`eve's ${n}`);
      return n === 1 ? Promise.reject(new Error("broken")) : Promise.resolve();
    })
  );
  assertEquals((await Promise.allSettled(pieces)).map(({ status }) => status), ["rejected", "fulfilled"]);
  assertEquals(events, ["eve's 1", "another's", "eve's 2"]);
});

Deno.test("CallerTurns.run() writes a caller's records at a bounded rate, and another's at once", async () => {
  const turns = new CallerTurns(2);
  const begun: string[] = [];
  const write = (name: string, chars: number) =>
    turns.run(owner(name), () => Promise.resolve(begun.push(name)), chars);
  // Three records in two places: the third waits until the rate allows what the first has written.
  const third = [1, 2, 3].map(() => write("eve", 50_000))[2]!;
  const start = performance.now();
  await write("bob", 100);
  assertEquals(begun, ["eve", "eve", "bob"]);
  await third;
  assert(performance.now() - start >= 45, "the third record did not wait");
});
