import { assertEquals } from "@std/assert";
import { bare, isTls, portOf } from "./url_parts.ts";

Deno.test("isTls(), portOf() and bare() tell how the server of a URL is reached", () => {
  const reached = (text: string) => {
    const url = new URL(text);
    return [isTls(url), portOf(url), bare(url.hostname)];
  };
  assertEquals(reached("https://a"), [true, 443, "a"]);
  assertEquals(reached("wss://a/x"), [true, 443, "a"]);
  assertEquals(reached("http://a.b/"), [false, 80, "a.b"]);
  assertEquals(reached("ws://[::1]"), [false, 80, "::1"]);
  assertEquals(reached("wss://[::1]:8443"), [true, 8443, "::1"]);
});
