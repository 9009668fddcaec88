import { assert, assertEquals } from "@std/assert";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { compressed } from "./compressed.ts";

const text = new TextEncoder().encode("a line of a page\n".repeat(1_000));

Deno.test("compressed() gives the same bytes to who expands them, and shorter ones", async () => {
  const expanded = { br: brotliDecompressSync, gzip: gunzipSync };
  for (const coding of ["br", "gzip"] as const) {
    for (const lifetime of ["passing", "lasting"] as const) {
      const { bytes, coding: used } = await compressed(text, coding, lifetime);
      assertEquals(used, coding);
      assert(bytes.length < text.length / 20);
      assertEquals(new Uint8Array(expanded[coding](bytes)), text);
    }
  }
});

Deno.test("compressed() leaves short answers and those of clients without a coding as they are", async () => {
  const short = text.subarray(0, 1_000);
  assertEquals(await compressed(short, "br"), { bytes: short, coding: null });
  assertEquals(await compressed(text, null), { bytes: text, coding: null });
});
