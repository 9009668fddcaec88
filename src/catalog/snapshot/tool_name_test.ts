import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { Nameable } from "../../store/registry/save_discovery.ts";
import { createNaming, slugify, toolName } from "./tool_name.ts";

const RULES = { separator: "-", maxLength: 64 };

Deno.test("slugify() gives ContextForge's slugs", () => {
  assertEquals(slugify("Hello World"), "hello-world");
  assertEquals(slugify("get_system_time"), "get-system-time");
  assertEquals(slugify("---test---"), "test");
  assertEquals(slugify("Multiple   Spaces"), "multiple-spaces");
  assertEquals(slugify("user@example.com"), "user-example-com");
  assertEquals(slugify("Don't Stop"), "dont-stop");
  assertEquals(slugify("Naïve Straße, Zürich"), "naive-strasse-zurich");
});

Deno.test("slugify() drops marks, whether they are part of a letter or stand by themselves", () => {
  const character = fc.oneof(
    fc.constantFrom("a", "é", "ǟ", "ﬀ", "각", "\uff9e", "\u0344", "\u0958", "\u1e9b"),
    fc.constantFrom("\u0301", "\u0327", "\u0345", "\u093c", "\u20dd"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  );
  fc.assert(fc.property(fc.array(character, { minLength: 1 }), (characters) => {
    const text = characters.join("");
    const decomposed = text.toLowerCase().normalize("NFKD").replace(/[\p{M}'’æœßøłđ]/gu, "");
    const isPlain = !/['’æœßøłđ]/.test(text.toLowerCase());
    const slug = decomposed.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
    if (isPlain && slug !== "") assertEquals(slugify(text), slug);
  }));
});

Deno.test("slugify() gives a text without letters a slug of its own", () => {
  assertMatch(slugify("日本"), /^x[0-9a-f]{8}$/);
  assertEquals(slugify("日本"), slugify("日本"));
  assertNotEquals(slugify("日本"), slugify("中国"));
});

Deno.test("toolName() puts the separator between", () => {
  assertEquals(toolName("time", "now", { ...RULES, separator: "__" }), "time__now");
});

Deno.test("createNaming() numbers collisions in the upstream's order and loses nothing", () => {
  const naming = createNaming(RULES);
  assertEquals(naming("g", [item("get_time"), item("get-time"), item("GetTime"), item("get time")]), [
    "g-get-time",
    "g-get-time-2",
    "g-gettime",
    "g-get-time-3",
  ]);
});

Deno.test("createNaming() leaves a name to the tool that bears it without a number", () => {
  assertEquals(createNaming(RULES)("g", [item("x"), item("X"), item("x-2")]), ["g-x", "g-x-3", "g-x-2"]);
});

Deno.test("createNaming() lets nobody's name pass to another tool when the upstream's order changes", () => {
  const naming = createNaming(RULES);
  assertEquals(naming("g", [item("X", "g-x-2"), item("x", "g-x")]), ["g-x-2", "g-x"]);
  assertEquals(naming("g", [item("new x!", null), item("new-x", "g-new-x")]), ["g-new-x-2", "g-new-x"]);
});

Deno.test("createNaming() takes the custom name, and the new slug after a rename", () => {
  const naming = createNaming(RULES);
  assertEquals(naming("new", [{ originalName: "a", customName: "My Tool", currentName: "old-a" }]), [
    "new-my-tool",
  ]);
});

Deno.test("toolName() shortens only what is too long, always to the same name, and two tools to two", () => {
  const fits = toolName("g", "x".repeat(62), RULES);
  assertEquals(fits, `g-${"x".repeat(62)}`);
  const [one, two] = ["a", "b"].map((end) => toolName("g", "x".repeat(62) + end, RULES));
  assertMatch(one, /^g-x{53}-[0-9a-f]{8}$/);
  assertEquals([one.length, two.length], [64, 64]);
  assertNotEquals(one, two);
  assertEquals(one, toolName("g", `${"x".repeat(62)}a`, RULES));
});

Deno.test("createNaming() keeps numbered names within the length, and with their tools", () => {
  const naming = createNaming(RULES);
  const original = `${"y".repeat(62)}`;
  const items = [item(original), item(original.toUpperCase()), item(`${original}!`)];
  const names = naming("g", items);
  assertEquals(names, [`g-${original}`, `g-${"y".repeat(60)}-2`, `g-${"y".repeat(60)}-3`]);
  const again = items.map((each, i) => ({ ...each, currentName: names[i] })).reverse();
  assertEquals(naming("g", again), [...names].reverse());
});

Deno.test("createNaming() gives any upstream names that clients with a limit take, each once and for good", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 150 });
  fc.assert(fc.property(
    text,
    fc.uniqueArray(text, { maxLength: 30 }),
    fc.integer({ min: 32, max: 128 }),
    (gateway, originals, maxLength) => {
      const naming = createNaming({ separator: "-", maxLength });
      const items = originals.map((each) => item(each));
      const names = naming(slugify(gateway), items);
      for (const name of names) assertMatch(name, new RegExp(`^[A-Za-z0-9_.-]{1,${maxLength}}$`));
      assertEquals(new Set(names).size, items.length);
      const named = items.map((each, i) => ({ ...each, currentName: names[i] }));
      assertEquals(naming(slugify(gateway), named.toReversed()), names.toReversed());
    },
  ));
});

function item(originalName: string, currentName: string | null = null): Nameable {
  return { originalName, customName: null, currentName };
}
