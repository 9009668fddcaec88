// What the form of a virtual server says in the words of the REST API, and what it shows of a stored one.
import { isLineChanged, mergedValues, seenIn } from "../parts/seen_values.tsx";
import type { VirtualServer } from "./server_shapes.ts";

/** The fields that have one value, and those that have any number. */
const FIELDS = ["name", "description", "visibility", "naming", "instructions"];
const LISTS = [
  "associated_gateways",
  "associated_tags",
  "associated_tools",
  "associated_resources",
  "associated_prompts",
];

/** The values of the form for what is stored. */
export function valuesOf(server: VirtualServer): URLSearchParams {
  const many = (name: string, values: readonly string[]) => values.map((value) => [name, value]);
  return new URLSearchParams([
    ["name", server.name],
    ["description", server.description ?? ""],
    ["visibility", server.visibility],
    ["naming", server.naming],
    ["instructions", server.instructions ?? ""],
    ["associated_tags", server.associatedTags.join(", ")],
    ...many("associated_gateways", server.associatedGatewayIds),
    ...many("associated_tools", server.associatedToolIds),
    ...many("associated_resources", server.associatedResources),
    ...many("associated_prompts", server.associatedPrompts),
  ]);
}

/** A new virtual server in the words of the REST API. */
export function serverIn(values: URLSearchParams): Readonly<Record<string, unknown>> {
  return Object.fromEntries([
    ...FIELDS.map((name) => [name, valueOf(name, values)]),
    ...LISTS.map((name) => [name, listOf(name, values)]),
  ]);
}

/** What the reader of the form has changed, in the words of the REST API. */
export function changesIn(sent: URLSearchParams, server: VirtualServer): Readonly<Record<string, unknown>> {
  const current = valuesOf(server);
  const seen = seenIn(sent, current);
  const isChanged = (name: string) =>
    name === "description"
      ? isLineChanged(name, { sent, seen })
      : JSON.stringify(valueOf(name, sent)) !== JSON.stringify(valueOf(name, seen));
  return Object.fromEntries([
    ...FIELDS.filter(isChanged).map((name) => [name, valueOf(name, sent)]),
    ...LISTS.flatMap((name) => {
      const merged = mergedValues({
        sent: listOf(name, sent),
        seen: listOf(name, seen),
        current: listOf(name, current),
      });
      return merged === null ? [] : [[name, merged]];
    }),
  ]);
}

/** The tags are one text, with commas. */
function listOf(name: string, values: URLSearchParams): string[] {
  if (name !== "associated_tags") return values.getAll(name);
  return (values.get(name) ?? "").split(",").map((word) => word.trim()).filter((word) => word !== "");
}

function valueOf(name: string, values: URLSearchParams): unknown {
  const text = values.get(name) ?? "";
  switch (name) {
    case "visibility":
      return text || "public";
    case "naming":
      return text || "prefixed";
    case "instructions":
      return text.replaceAll("\r\n", "\n").trim() || null;
    default:
      return text;
  }
}
