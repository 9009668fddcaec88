import { assertEquals } from "@std/assert";
import {
  gatewayRow,
  promptRow,
  resourceRow,
  serverRow,
  toolRow,
} from "../../../tests/support/catalog_rows.ts";
import type { ServerRow } from "../../store/registry/rows.ts";
import { bringsIn, Membership, takesAllOf } from "./membership.ts";

const ENTRIES = {
  gateways: [gatewayRow("a"), gatewayRow("b", { tags: ["safe"] })],
  tools: [toolRow("a", "x"), toolRow("a", "y", { tags: ["safe"] }), toolRow("b", "z"), toolRow("b", "drop")],
  resources: [resourceRow("a", "r:1"), resourceRow("a", "t:{id}", { name: "one by id" })],
  prompts: [promptRow("a", "ask"), promptRow("b", "tell")],
};

function members(given: Partial<ServerRow>): string[][] {
  const { toolIds, resourceIds, promptIds } = new Membership(ENTRIES).of(serverRow("s", given));
  return [[...toolIds], [...resourceIds], [...promptIds]];
}

Deno.test("Membership gives a server what its upstreams have, by kind, and templates too", () => {
  assertEquals(members({ gatewayIds: ["a"] }), [["a-x", "a-y"], ["a r:1", "a t:{id}"], ["a-ask"]]);
  assertEquals(members({ gatewayIds: ["gone"] }), [[], [], []]);
});

Deno.test("Membership gives a server what has a tag, or whose upstream has it, each once", () => {
  assertEquals(members({ memberTags: ["safe"] }), [["a-y", "b-z", "b-drop"], [], ["b-tell"]]);
  assertEquals(members({ memberTags: ["safe"], gatewayIds: ["b"], toolIds: ["b-drop"] }), [
    ["b-drop", "b-z", "a-y"],
    [],
    ["b-tell"],
  ]);
});

Deno.test("Membership leaves out what is excluded, by the registry's name or the upstream's, unless it was chosen itself", () => {
  const excluded = ["x", "a-y", "r:1", "one by id", "ask"];
  assertEquals(members({ gatewayIds: ["a"], excluded }), [[], [], []]);
  assertEquals(members({ gatewayIds: ["a"], excluded, toolIds: ["a-x"] }), [["a-x"], [], []]);
});

Deno.test("Membership gives a server without upstreams and tags what was chosen, whatever is excluded", () => {
  assertEquals(members({ toolIds: ["a-x"], excluded: ["x"] }), [["a-x"], [], []]);
});

Deno.test("an entry that only a session lists is a member by the same tags as an entry of the registry: labels with one id are one tag", () => {
  const server = serverRow("s", { memberTags: ["Read Only"] });
  const tagged = gatewayRow("c", { tags: ["read_only"] });
  const [own, other] = [toolRow("c", "x", { tags: ["READ ONLY"] }), toolRow("c", "y")];
  const entries = { gateways: [tagged], tools: [own, other], resources: [], prompts: [] };
  assertEquals(new Membership(entries).of(server).toolIds, ["c-x", "c-y"]);
  assertEquals([bringsIn(server, other, tagged), takesAllOf(server, tagged)], [true, true]);
  const plain = gatewayRow("c");
  assertEquals([bringsIn(server, own, plain), bringsIn(server, other, plain)], [true, false]);
  assertEquals([takesAllOf(server, plain), takesAllOf(serverRow("s", {}), tagged)], [false, false]);
});
