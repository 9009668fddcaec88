import { assertEquals } from "@std/assert";
import { WorkerLocalState } from "./worker_local_state.ts";

Deno.test("WorkerLocalState.add() keeps an upstream once, and all that are known", async () => {
  const kept: string[][] = [];
  const workerLocal: WorkerLocalState = new WorkerLocalState({
    onChange: () => Promise.resolve(void kept.push(workerLocal.upstreamIds)),
  });
  for (const id of ["a", "b", "a"]) await workerLocal.add(id);
  assertEquals(kept, [["a"], ["a", "b"]]);
  assertEquals(workerLocal.takeLoss("a"), false, "it is there");
});

Deno.test("WorkerLocalState.takeLoss() tells of each upstream of before once, and keeps that it has", () => {
  const kept: string[][] = [];
  const workerLocal: WorkerLocalState = new WorkerLocalState({
    before: ["a", "b"],
    onChange: () => Promise.resolve(void kept.push(workerLocal.upstreamIds)),
  });
  assertEquals(["a", "c", "a"].map((id) => workerLocal.takeLoss(id)), [true, false, false]);
  assertEquals(kept, [["b"]], "an upstream that was never used changes nothing");
});

Deno.test("WorkerLocalState fails for no records that are away", async () => {
  const onChange = () => Promise.reject(new Error("away"));
  const workerLocal = new WorkerLocalState({ before: ["a"], onChange });
  await workerLocal.add("b");
  assertEquals([workerLocal.takeLoss("a"), workerLocal.upstreamIds], [true, ["b"]]);
});
