import { assertEquals } from "@std/assert";
import { Retirement } from "./retirement.ts";

Deno.test("Retirement.look() sheds callers before it asks for a successor", () => {
  const events: unknown[] = [];
  let usedMb = 0;
  const retirement = new Retirement({ maxRequests: 0, maxRequestsJitter: 0, workerMaxHeapMb: 0 }, {
    link: { wantsRecycling: () => events.push("recycle") },
    shed: (maxChars) => events.push(maxChars),
    usedHeapBytes: () => usedMb * 1024 * 1024,
  });
  const look = (mb: number) => {
    usedMb = mb;
    retirement.look(100);
    return events.splice(0);
  };
  const kept = 20 * 1024 * 1024;
  assertEquals([look(64), look(65), look(80), look(80)], [[], [kept], [kept, "recycle"], [kept]]);
});
