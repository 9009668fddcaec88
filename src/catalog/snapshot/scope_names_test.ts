import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { nameMembers } from "./scope_names.ts";

const tool = (id: string, name: string, originalName: string) => ({ id, name, originalName });
const PROMPTLESS = { prompts: [] };

function shown(...given: Parameters<typeof nameMembers>) {
  const { toolNames, conflicts } = nameMembers(...given);
  return {
    names: Object.fromEntries(toolNames),
    conflicts: conflicts.map(({ kind, name, keptBy, renamed, renamedTo }) =>
      `${kind} ${name}: ${keptBy.id} keeps it, ${renamed.id} is ${renamedTo}`
    ),
  };
}

Deno.test("nameMembers() uses the registry's names, or the upstreams' own", () => {
  const tools = [tool("1", "a-x", "X"), tool("2", "b-y", "y")];
  assertEquals(shown({ naming: "prefixed", toolOverrides: {} }, { tools, ...PROMPTLESS }), {
    names: { 1: "a-x", 2: "b-y" },
    conflicts: [],
  });
  assertEquals(shown({ naming: "original", toolOverrides: {} }, { tools, ...PROMPTLESS }), {
    names: { 1: "X", 2: "y" },
    conflicts: [],
  });
});

Deno.test("nameMembers() lets tools and prompts have the same name", () => {
  const one = [tool("1", "a-x", "x")];
  const { toolNames, promptNames, conflicts } = nameMembers({ naming: "original", toolOverrides: {} }, {
    tools: one,
    prompts: one,
  });
  assertEquals([toolNames.get("1"), promptNames.get("1"), conflicts], ["x", "x", []]);
});

Deno.test("nameMembers() gives the operator's word precedence over whoever came first", () => {
  const tools = [tool("1", "a-x", "x"), tool("2", "b-y", "y")];
  assertEquals(shown({ naming: "original", toolOverrides: { 2: { name: "x" } } }, { tools, ...PROMPTLESS }), {
    names: { 2: "x", 1: "a-x" },
    conflicts: ["tool x: 2 keeps it, 1 is a-x"],
  });
});

Deno.test("nameMembers() numbers a name that is taken as well", () => {
  const tools = [tool("1", "a-x", "x"), tool("2", "b-x", "x"), tool("3", "c-b", "b-x")];
  assertEquals(shown({ naming: "original", toolOverrides: {} }, { tools, ...PROMPTLESS }), {
    names: { 1: "x", 3: "b-x", 2: "b-x-2" },
    conflicts: ["tool x: 1 keeps it, 2 is b-x-2"],
  });
});

Deno.test("nameMembers() numbers a long name without making it longer", () => {
  const long = `b-${"x".repeat(62)}`;
  const tools = [tool("1", "a-x", "x"), tool("2", long, "x"), tool("3", "c-b", long)];
  const { toolNames } = nameMembers({ naming: "original", toolOverrides: {} }, { tools, ...PROMPTLESS });
  assertEquals(toolNames.get("2"), `b-${"x".repeat(60)}-2`);
});

Deno.test("nameMembers() gives everybody one name, each name to one, and reports who did not get its own", () => {
  const word = fc.constantFrom("x", "y", "a-x", "a-y", "b-x", "b-x-2");
  const member = fc.record({ name: word, originalName: word, explicit: fc.option(word, { nil: undefined }) });
  fc.assert(fc.property(
    fc.uniqueArray(member, { selector: ({ name }) => name, maxLength: 6 }),
    fc.constantFrom("prefixed", "original"),
    (members, naming) => {
      const tools = members.map(({ name, originalName }, i) => tool(`${i}`, name, originalName));
      const toolOverrides = Object.fromEntries(
        members.map(({ explicit }, i) => [`${i}`, { name: explicit }]),
      );
      const { toolNames, conflicts } = nameMembers({ naming, toolOverrides }, { tools, ...PROMPTLESS });
      assertEquals(toolNames.size, tools.length);
      assertEquals(new Set(toolNames.values()).size, tools.length);
      const renamed = tools.filter(({ id, name, originalName }) =>
        toolNames.get(id) !== (toolOverrides[id].name ?? (naming === "original" ? originalName : name))
      );
      assertEquals(
        conflicts.map(({ renamed }) => renamed.id).sort(),
        renamed.map(({ id }) => id),
      );
      for (const { name, keptBy } of conflicts) assertEquals(toolNames.get(keptBy.id), name);
    },
  ));
});
