import { assertEquals } from "@std/assert";
import { oldGenerationMb } from "./worker_handle.ts";

Deno.test("oldGenerationMb() keeps the default heap below 2 GiB, and gives a larger one all of its limit", () => {
  assertEquals([128, 2_047, 2_048, 2_049, 4_096].map(oldGenerationMb), [128, 2_047, 2_047, 2_049, 4_096]);
});
