import { assert } from "@std/assert";
import { collectGarbage } from "./garbage.ts";

Deno.test("collectGarbage() frees what nothing refers to, at once", () => {
  const freed = new WeakRef({ bytes: new Uint8Array(1_000) });
  const kept = new WeakRef(globalThis);
  return new Promise<void>((resolve) => setTimeout(resolve)).then(() => {
    collectGarbage();
    assert(freed.deref() === undefined, "the object is still there");
    assert(kept.deref() === globalThis);
  });
});
