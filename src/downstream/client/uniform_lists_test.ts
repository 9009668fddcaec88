import { assertEquals } from "@std/assert";
import { gatewayRow } from "../../../tests/support/catalog_rows.ts";
import { declaredIn, UniformLists } from "./uniform_lists.ts";

const all = declaredIn('{"roots":{},"elicitation":{"form":{},"url":{}}}');

Deno.test("UniformLists settles the lists of clients that declare no more than one that was asked", () => {
  const lists = new UniformLists();
  const gateway = gatewayRow("g", { serverInfo: { name: "s", version: "1" } });
  assertEquals([...all], ["roots", "elicitation", "elicitation.form", "elicitation.url"]);
  assertEquals(lists.isSettled(gateway, "tools", declaredIn("{}")), true);
  assertEquals(lists.isSettled(gateway, "tools", all), false);
  lists.isUniform(gateway, "tools", all);
  assertEquals(lists.isSettled(gateway, "tools", declaredIn('{"roots":{}}')), true);
  assertEquals(lists.isSettled(gateway, "tools", declaredIn('{"sampling":{}}')), false);
  assertEquals(lists.isSettled(gateway, "prompts", all), false);
  const newer = { ...gateway, serverInfo: { name: "s", version: "2" } };
  assertEquals(lists.isSettled(newer, "tools", all), false);
  lists.keep([]);
  assertEquals(lists.isSettled(gateway, "tools", all), false);
});

Deno.test("UniformLists remembers a bounded number of capabilities", () => {
  const lists = new UniformLists();
  const gateway = gatewayRow("g");
  const invented = new Set(Array.from({ length: 1_000 }, (_, i) => `invented${i}`));
  lists.isUniform(gateway, "tools", invented);
  assertEquals(lists.isSettled(gateway, "tools", invented), false);
  assertEquals(lists.isSettled(gateway, "tools", new Set(["invented0"])), true);
});
