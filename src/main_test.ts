import { assertEquals } from "@std/assert";
import { SluiceError } from "./base/errors.ts";
import { fail, run } from "./main.ts";
import { VERSION } from "./version.ts";

/** What `action` prints by `method`, and what it gives. */
async function printed<T>(
  method: "log" | "error",
  action: () => T,
): Promise<[result: Awaited<T>, lines: string[]]> {
  const original = console[method];
  const lines: string[] = [];
  console[method] = (...parts: unknown[]) => void lines.push(...parts.join(" ").split("\n"));
  try {
    return [await action(), lines];
  } finally {
    console[method] = original;
  }
}

Deno.test("run() --version prints version, commit, Deno and the revisions served", async () => {
  const [code, lines] = await printed("log", () => run(["--version"]));
  assertEquals([code, lines.length], [0, 3]);
  assertEquals(lines[0].startsWith(`sluice ${VERSION} (`), true);
  assertEquals(lines[1], `deno ${Deno.version.deno}`);
  assertEquals(lines[2], "MCP 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05");
});

Deno.test("run() --help prints the help", async () => {
  const [code, lines] = await printed("log", () => run(["--help"]));
  assertEquals([code, lines.includes("Usage: sluice COMMAND [FLAGS]")], [0, true]);
});

Deno.test("fail() gives 2 for wrong flags and settings, one line per mistake, and 1 for everything else", async () => {
  const usage = new SluiceError("USAGE_INVALID", { mistakes: "a\nb" });
  assertEquals(await printed("error", () => fail(usage)), [2, ["sluice: a", "sluice: b"]]);
  const settings = new SluiceError("SETTINGS_INVALID", { mistakes: "c" });
  assertEquals(await printed("error", () => fail(settings)), [2, ["sluice: c"]]);
  const full = new SluiceError("STORE_CANNOT_OPEN", { path: "/x", reason: "why" }, {
    cause: new Error("why"),
  });
  assertEquals(await printed("error", () => fail(full)), [1, ["sluice: Cannot open the database /x: why"]]);
  const bare = new SluiceError("STORE_UNAVAILABLE", {}, { cause: new Error("/x: why") });
  assertEquals(await printed("error", () => fail(bare)), [1, [
    "sluice: The database is unavailable: /x: why",
  ]]);
  const other = new SluiceError("SHUTTING_DOWN");
  assertEquals((await printed("error", () => fail(other)))[0], 1);
  const [code, lines] = await printed("error", () => fail(new TypeError("ours")));
  assertEquals([code, lines[0], lines.length > 1], [1, "sluice: ours", true]);
});
