import { assertEquals } from "@std/assert";
import type { CallerIdentity } from "./caller_identity.ts";
import { ClientMemory } from "./client_memory.ts";

const owner = (subject: string): CallerIdentity => ({ issuer: "i", subject });

const [ann, bob, eve] = [owner("ann"), owner("bob"), owner("eve")];

Deno.test("ClientMemory gives a caller as much as is still free, over all that is kept for it", () => {
  let refusals = 0;
  const memory = new ClientMemory(120, () => refusals++);
  const [one, another] = [memory.hold(eve), memory.hold(eve)];
  assertEquals([one.tryGrow(40), another.tryGrow(21), another.tryGrow(20)], [true, false, true]);
  const bobs = memory.hold(bob);
  assertEquals([bobs.tryGrow(31), bobs.tryGrow(30)], [false, true]);
  // A newcomer finds room, whatever the others keep.
  assertEquals([memory.hold(ann).tryGrow(15), memory.chars, refusals], [true, 105, 2]);
  one.close();
  assertEquals([memory.chars, bobs.tryGrow(5), one.tryGrow(1)], [65, true, false]);
});

Deno.test("ClientMemory drops what can be spared, the oldest first, before it refuses", () => {
  const memory = new ClientMemory(100);
  const dropped: string[] = [];
  const log = (name: string) => {
    const holding = memory.hold(eve, {
      spare: () => {
        dropped.push(name);
        holding.grow(-holding.chars);
      },
    });
    return holding;
  };
  for (const each of ["first", "second", "third"].map(log)) each.grow(10);
  memory.hold(bob, { spare: () => dropped.push("bob's") }).grow(10);
  const call = memory.hold(eve);
  assertEquals([call.tryGrow(30), dropped], [true, ["first", "second"]]);
  assertEquals([call.tryGrow(50), dropped], [false, ["first", "second", "third"]]);
});

Deno.test("ClientMemory.shed() ends everything of the caller for whom the most is kept, until the others keep little enough", () => {
  const memory = new ClientMemory(Infinity);
  const ended: string[] = [];
  const keep = (owner: CallerIdentity, name: string, chars: number) =>
    memory.hold(owner, { end: () => ended.push(name) }).grow(chars);
  keep(ann, "ann 1", 2);
  keep(eve, "eve 1", 50);
  keep(bob, "bob 1", 60);
  keep(bob, "bob 2", 40);
  assertEquals(memory.shed(152), []);
  assertEquals([memory.shed(151), ended], [[{ subject: "bob", chars: 100 }], ["bob 1", "bob 2"]]);
  assertEquals(memory.shed(0).map(({ subject }) => subject), ["eve", "ann"]);
  assertEquals([memory.shed(0), memory.chars], [[], 0]);
});
