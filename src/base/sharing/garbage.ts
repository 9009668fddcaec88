// Asks V8 for a full collection, which it makes by itself only when the heap has grown, or after a quarter of a minute of rest.
import v8 from "node:v8";
import vm from "node:vm";

/** Frees all garbage of this thread, and compiled code that was not used lately. Does nothing where Deno has no such function (2.7). */
export function collectGarbage(): void {
  // The function exists in contexts that are made after the flag is set.
  v8.setFlagsFromString("--expose-gc");
  const collect: unknown = vm.runInNewContext("globalThis.gc");
  if (typeof collect === "function") collect();
}
