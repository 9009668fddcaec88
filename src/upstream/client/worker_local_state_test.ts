import { assertEquals } from "@std/assert";
import { Attachments } from "./worker_local_state.ts";

Deno.test("Attachments.add() keeps an upstream once, and all that are known", async () => {
  const kept: string[][] = [];
  const attachments: Attachments = new Attachments({
    onChange: () => Promise.resolve(void kept.push(attachments.upstreamIds)),
  });
  for (const id of ["a", "b", "a"]) await attachments.add(id);
  assertEquals(kept, [["a"], ["a", "b"]]);
  assertEquals(attachments.takeLoss("a"), false, "it is there");
});

Deno.test("Attachments.takeLoss() tells of each upstream of before once, and keeps that it has", () => {
  const kept: string[][] = [];
  const attachments: Attachments = new Attachments({
    before: ["a", "b"],
    onChange: () => Promise.resolve(void kept.push(attachments.upstreamIds)),
  });
  assertEquals(["a", "c", "a"].map((id) => attachments.takeLoss(id)), [true, false, false]);
  assertEquals(kept, [["b"]], "an upstream that was never used changes nothing");
});

Deno.test("Attachments fails for no records that are away", async () => {
  const onChange = () => Promise.reject(new Error("away"));
  const attachments = new Attachments({ before: ["a"], onChange });
  await attachments.add("b");
  assertEquals([attachments.takeLoss("a"), attachments.upstreamIds], [true, ["b"]]);
});
