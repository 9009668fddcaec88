import { assert, assertEquals } from "@std/assert";
import { LayeredMap } from "./layered_map.ts";

Deno.test("LayeredMap.with() makes the next state, and leaves the former ones as they are", () => {
  let map = LayeredMap.of<number>([]);
  assert(map.isEmpty);
  const expected = new Map<string, number>();
  const former: [LayeredMap<number>, Map<string, number>][] = [];
  for (let step = 0; step < 600; step++) {
    const gone = [`${step * 7 % 300}`, `${step * 11 % 300}`];
    const entries = [[`${step * 13 % 300}`, step], [`${step * 7 % 300}`, -step]] as const;
    map = map.with(step % 3 === 0 ? gone : [], entries);
    if (step % 3 === 0) gone.forEach((key) => expected.delete(key));
    entries.forEach(([key, value]) => expected.set(key, value));
    if (step % 50 === 0) former.push([map, new Map(expected)]);
  }
  for (const [state, entries] of [...former, [map, expected] as const]) {
    for (let key = 0; key < 300; key++) assertEquals(state.get(`${key}`), entries.get(`${key}`));
  }
  assert(!map.isEmpty);
});

Deno.test("LayeredMap.with() without a change returns the same map", () => {
  const map = LayeredMap.of([["a", 1]]);
  assert(map.with([], []) === map);
});
