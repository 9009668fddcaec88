import { assertEquals } from "@std/assert";
import { Cancellation } from "./cancellation.ts";

Deno.test("Cancellation.cancel() tells every listener once, with the first reason", () => {
  const cancellation = new Cancellation();
  const told: string[] = [];
  const removed = () => told.push("removed");
  cancellation.addEventListener("abort", removed);
  cancellation.addEventListener("abort", () => told.push("a"));
  cancellation.addEventListener("abort", () => told.push("b"));
  cancellation.removeEventListener("abort", removed);
  cancellation.throwIfAborted();
  cancellation.cancel("first");
  cancellation.cancel("second");
  assertEquals([told, cancellation.aborted, cancellation.reason], [["a", "b"], true, "first"]);
  try {
    cancellation.throwIfAborted();
    throw new Error("it did not throw");
  } catch (reason) {
    assertEquals(reason, "first");
  }
});
