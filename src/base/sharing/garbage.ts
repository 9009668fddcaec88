// Asks V8 for a full collection, which it makes by itself only when the heap has grown, or after a quarter of a minute of rest.
import v8 from "node:v8";
import vm from "node:vm";

/**
 * Frees all garbage of this thread, and compiled code that was not used lately. Does nothing where Deno has no such function: from source
 * with 2.7. The executable is compiled with the flag.
 */
export function collectGarbage(): void {
  // The function exists in contexts that are made after the flag is set.
  v8.setFlagsFromString("--expose-gc");
  const collect: unknown = vm.runInNewContext("globalThis.gc");
  // Without the flavor V8 keeps freed pages, and code. Deno 2.9 collects in that way always.
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
