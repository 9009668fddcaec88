import { assertEquals } from "@std/assert";
import { assertLinear } from "../../../tests/support/growth.ts";
import { compileUriTemplate, newEffort } from "./uri_template.ts";

const MATCHES: [template: string, uris: string[]][] = [
  ["test://template/{id}/data", ["test://template/1/data", "test://template/a%20b/data"]],
  ["file:///{+path}", ["file:///a", "file:///a/b?c#d"]],
  ["x://{a}-{b}", ["x://1-2", "x://1-2-3"]],
  ["x://a{/path*}", ["x://a", "x://a/b/c"]],
  ["x://a{?q,r}", ["x://a", "x://a?q=1&r=2"]],
  ["x://a?f=1{&q}", ["x://a?f=1", "x://a?f=1&q=2"]],
  ["x://a{#part}", ["x://a", "x://a#p"]],
  ["x://a{.ext}", ["x://a", "x://a.txt"]],
  ["x://a{;k}", ["x://a", "x://a;k=1"]],
  ["{+all}", ["anything", "x://y"]],
  ["x://{a}{b}", ["x://12"]],
  ["x://plain", ["x://plain"]],
  ["x://(a).*{id}", ["x://(a).*1"]],
  ["x://{unclosed", ["x://{unclosed"]],
  ["x://{}", ["x://{}"]],
];

const MISMATCHES: [template: string, uris: string[]][] = [
  ["test://template/{id}/data", [
    "test://template//data",
    "test://template/1/2/data",
    "test://template/1/data/x",
    "",
  ]],
  ["x://{id}", ["x://", "x://a/b", "x://a?b", "x://a#b", "y://a"]],
  ["x://{a}{b}", ["x://1"]],
  ["x://a{/path}", ["x://ab", "x://a/b?c", "x://a?b"]],
  ["x://a{?q}", ["x://a#b", "x://a&q", "x://ab"]],
  ["x://a{.ext}", ["x://a.b/c", "x://ab"]],
  ["x://plain", ["x://plai", "x://plainx"]],
  ["x://a.c/{id}", ["x://abc/1"]],
  ["x://{unclosed", ["x://1"]],
];

Deno.test("compileUriTemplate() matches what the expressions expand to", () => {
  for (const [template, uris] of MATCHES) {
    for (const uri of uris) {
      assertEquals(compileUriTemplate(template).matches(uri), true, `${template} ${uri}`);
    }
  }
});

Deno.test("compileUriTemplate() matches nothing else", () => {
  for (const [template, uris] of MISMATCHES) {
    for (const uri of uris) {
      assertEquals(compileUriTemplate(template).matches(uri), false, `${template} ${uri}`);
    }
  }
});

Deno.test("compileUriTemplate() needs time in proportion to the URI, whatever the template", () => {
  const template = compileUriTemplate(`x://${"{+a}y".repeat(20)}{b}z{b}`);
  // Backtracking would not end.
  assertLinear((length) => assertEquals(template.matches(`x://${"y".repeat(length)}`), false), 2_000);
});

Deno.test("compileUriTemplate() needs time in proportion to the URI for a literal that repeats itself", () => {
  const run = (literal: string) => (length: number) => {
    const template = compileUriTemplate(`{+a}${literal.replace("*", "y".repeat(length / 2))}{+b}`);
    assertEquals(template.matches("y".repeat(length)), literal === "*");
  };
  // With indexOf() at each position, both take the product of their lengths.
  for (const literal of ["*", "x*"]) assertLinear(run(literal), 8_000);
});

Deno.test("compileUriTemplate() gives up when a match takes too long", () => {
  const template = compileUriTemplate(`${"{+a}".repeat(20_000)}`);
  const effort = newEffort();
  assertEquals(template.matches("y".repeat(60_000), effort), false);
  assertEquals(effort.steps < 0 && effort.steps > -60_002, true);
  assertEquals(template.matches("y", effort), false);
  assertEquals(compileUriTemplate("{+a}").matches("y", effort), false);
  assertEquals(compileUriTemplate("{+a}{+b}{c}{d}").matches("y".repeat(60_000)), true);
});

Deno.test("compileUriTemplate() looks for no absurdly long URI", () => {
  assertEquals(compileUriTemplate("{+all}").matches("x".repeat(65_536)), true);
  assertEquals(compileUriTemplate("{+all}").matches("x".repeat(65_537)), false);
});
