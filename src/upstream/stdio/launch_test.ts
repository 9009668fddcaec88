import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Launch, launchUrl, readLaunch } from "./launch.ts";

Deno.test("launchUrl() loses nothing that readLaunch() does not give back, and is a URL in its final form", () => {
  const text = fc.string({ unit: "grapheme" });
  const launch: fc.Arbitrary<Launch> = fc.record({
    command: text,
    args: fc.array(text),
    cwd: fc.option(text),
  });
  fc.assert(fc.property(launch, (given) => {
    const url = launchUrl(given);
    assertEquals(readLaunch(url), given);
    assertEquals(new URL(url).href, url);
  }));
  assertEquals(
    launchUrl({ command: "npx", args: ["-y", "time-mcp"], cwd: "/srv" }),
    "stdio:npx?arg=-y&arg=time-mcp&cwd=%2Fsrv",
  );
});
