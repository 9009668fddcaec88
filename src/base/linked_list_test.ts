import { assertEquals } from "@std/assert";
import { type Linked, LinkedList } from "./linked_list.ts";

class Member implements Linked<Member> {
  previous: Member | undefined;
  next: Member | undefined;
  constructor(readonly name: string) {}
}

Deno.test("LinkedList keeps the order of arrival, and removes any member once", () => {
  const list = new LinkedList<Member>();
  const [a, b, c] = ["a", "b", "c"].map((name) => new Member(name)) as [Member, Member, Member];
  const names = () => [...list].map(({ name }) => name).join("");
  for (const member of [a, b, c]) list.push(member);
  assertEquals([names(), list.length], ["abc", 3]);
  assertEquals([list.remove(b), list.remove(b)], [true, false]);
  list.push(b);
  assertEquals([names(), list.length, list.first], ["acb", 3, a]);
  for (const member of list) list.remove(member);
  assertEquals([names(), list.length, list.first], ["", 0, undefined]);
  assertEquals(list.remove(a), false);
});

Deno.test("LinkedList.remove() leaves no member reachable from a removed one", () => {
  const list = new LinkedList<Member>();
  const [a, b, c] = ["a", "b", "c"].map((name) => new Member(name)) as [Member, Member, Member];
  for (const member of [a, b, c]) list.push(member);
  list.remove(b);
  assertEquals([b.previous, b.next, a.next, c.previous], [undefined, undefined, c, a]);
});
