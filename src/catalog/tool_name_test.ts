import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { Nameable } from "../store/discovery.ts";
import { createNaming, slugify, toolName } from "./tool_name.ts";

Deno.test("slugify() gives ContextForge's slugs", () => {
  assertEquals(slugify("Hello World"), "hello-world");
  assertEquals(slugify("get_system_time"), "get-system-time");
  assertEquals(slugify("---test---"), "test");
  assertEquals(slugify("Multiple   Spaces"), "multiple-spaces");
  assertEquals(slugify("user@example.com"), "user-example-com");
  assertEquals(slugify("Don't Stop"), "dont-stop");
  assertEquals(slugify("Naïve Straße, Zürich"), "naive-strasse-zurich");
});

Deno.test("slugify() gives a text without letters a slug of its own", () => {
  assertMatch(slugify("日本"), /^x[0-9a-f]{8}$/);
  assertEquals(slugify("日本"), slugify("日本"));
  assertNotEquals(slugify("日本"), slugify("中国"));
});

Deno.test("toolName() puts the separator between", () => {
  assertEquals(toolName("time", "__", "now"), "time__now");
});

Deno.test("createNaming() numbers collisions in the upstream's order and loses nothing", () => {
  const naming = createNaming("-");
  assertEquals(naming("g", [item("get_time"), item("get-time"), item("GetTime"), item("get time")]), [
    "g-get-time",
    "g-get-time-2",
    "g-gettime",
    "g-get-time-3",
  ]);
});

Deno.test("createNaming() leaves a name to the tool that bears it without a number", () => {
  assertEquals(createNaming("-")("g", [item("x"), item("X"), item("x-2")]), ["g-x", "g-x-3", "g-x-2"]);
});

Deno.test("createNaming() lets nobody's name pass to another tool when the upstream's order changes", () => {
  const naming = createNaming("-");
  assertEquals(naming("g", [item("X", "g-x-2"), item("x", "g-x")]), ["g-x-2", "g-x"]);
  assertEquals(naming("g", [item("new x!", null), item("new-x", "g-new-x")]), ["g-new-x-2", "g-new-x"]);
});

Deno.test("createNaming() takes the custom name, and the new slug after a rename", () => {
  const naming = createNaming("-");
  assertEquals(naming("new", [{ originalName: "a", customName: "My Tool", currentName: "old-a" }]), [
    "new-my-tool",
  ]);
});

function item(originalName: string, currentName: string | null = null): Nameable {
  return { originalName, customName: null, currentName };
}
