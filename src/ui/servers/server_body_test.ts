import { assertEquals } from "@std/assert";
import { undoFields } from "../parts/seen_values.tsx";
import { changesIn, valuesOf } from "./server_body.ts";
import type { VirtualServer } from "./server_shapes.ts";

const SERVER: VirtualServer = {
  ...{ id: "s", name: "s", description: null, enabled: true, visibility: "public", naming: "prefixed" },
  ...{ instructions: "One.\nTwo.", revisions: "all", conflicts: [], associatedTools: [] },
  ...{ associatedToolIds: ["a", "b"], associatedResources: [], associatedPrompts: [], excluded: [] },
  ...{ associatedGateways: [], associatedGatewayIds: [], associatedTags: ["red"] },
};

/** The form as it was opened, and changed by its reader. */
function sent(opened: VirtualServer, change: (values: URLSearchParams) => void): URLSearchParams {
  const values = valuesOf(opened);
  values.set("seen", String(values));
  values.set("instructions", "One.\r\nTwo.");
  change(values);
  return values;
}

Deno.test("a form of a virtual server changes what its reader has changed, and nothing that others have", () => {
  assertEquals<unknown>(changesIn(sent(SERVER, () => {}), SERVER), {});
  // Meanwhile somebody has renamed it, has taken b away and has added c.
  const other = { ...SERVER, name: "t", associatedToolIds: ["a", "c"], associatedTags: ["blue"] };
  const values = sent(SERVER, (form) => {
    form.set("description", "New.");
    form.delete("associated_tools");
    form.set("associated_tags", "red, green");
    for (const id of ["b", "d"]) form.append("associated_tools", id);
  });
  assertEquals<unknown>(changesIn(values, other), {
    description: "New.",
    associated_tags: ["blue", "green"],
    associated_tools: ["c", "d"],
  });
});

Deno.test("a description of several lines, of which the form shows one, is not changed by it", () => {
  const values = sent(
    { ...SERVER, description: "One.\nTwo." },
    (form) => form.set("description", "One.Two."),
  );
  assertEquals("description" in changesIn(values, { ...SERVER, description: "Three." }), false);
});

Deno.test("the undo of a change takes back this change, and nothing that others have changed since", () => {
  const after = { ...SERVER, description: "New.", associatedToolIds: ["a", "b", "c"], associatedTags: [] };
  const fields = Object.entries(undoFields(valuesOf(SERVER), valuesOf(after)));
  const undo = new URLSearchParams(
    fields.flatMap(([name, values]) => [values].flat().map((value) => [name, value])),
  );
  const now = { ...after, name: "t", associatedToolIds: ["a", "c", "d"], associatedPrompts: ["p"] };
  assertEquals<unknown>(changesIn(undo, now), {
    ...{ description: "", associated_tags: ["red"], associated_tools: ["a", "d"] },
  });
});

Deno.test("a form that does not say what it showed replaces everything", () => {
  const values = valuesOf({ ...SERVER, name: "t", associatedToolIds: ["c"] });
  const { name, associated_tools } = changesIn(values, SERVER) as Record<string, unknown>;
  assertEquals([name, associated_tools], ["t", ["c"]]);
});
