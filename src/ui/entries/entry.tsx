// What pages of tools, resources and prompts have in common: the state, the button that switches one, how often it was used.
import type { PageHandler } from "../call/page_call.ts";
import { timeOf } from "../parts/charts.tsx";
import { PostButton } from "../parts/form.tsx";
import { Badge } from "../parts/page_parts.tsx";

/** As paths have it, in the REST API and of pages. */
export type EntryKind = "tools" | "resources" | "prompts";

/** What the REST API says of a tool, resource or prompt. */
export interface Entry {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly enabled: boolean;
  readonly gatewayId: string | null;
  readonly gatewaySlug?: string | null;
  readonly visibility: string;
  readonly tags: readonly { readonly label: string }[];
  /** Where the entry is read alone; null: nothing is recorded. */
  readonly metrics: Executions | null;
  /** Tools. */
  readonly reachable?: boolean;
  /** Resources; of a template the template. */
  readonly uri?: string;
  readonly mimeType?: string | null;
  /** Prompts. */
  readonly arguments?: readonly PromptArgument[];
}

export interface PromptArgument {
  readonly name: string;
  readonly description?: string;
  readonly required?: boolean;
}

/** What all workers have counted. */
export interface Executions {
  readonly totalExecutions: number;
  readonly failedExecutions: number;
  readonly avgResponseTime: number | null;
  readonly maxResponseTime: number | null;
}

/** The read of an entry that asks no upstream. */
export function entryPath(kind: EntryKind, id: string): string {
  const path = `/${kind}/${encodeURIComponent(id)}`;
  return kind === "tools" ? path : `${path}/info`;
}

export function EntryState({ entry: { enabled, reachable } }: { readonly entry: Entry }) {
  if (!enabled) return <Badge mood="plain" label="off" />;
  return reachable === false ? <Badge mood="bad" label="not reachable" /> : <Badge mood="good" label="on" />;
}

export function SwitchButton({ kind, entry: { id, enabled } }: {
  readonly kind: EntryKind;
  readonly entry: Entry;
}) {
  return (
    <PostButton
      path={`${kind}/${id}/state`}
      label={enabled ? "Switch off" : "Switch on"}
      fields={{ activate: String(!enabled) }}
    />
  );
}

function switching(kind: EntryKind): PageHandler {
  return async ({ params, form, rest }) => {
    const activate = (await form()).get("activate") === "true";
    const id = params.id!;
    await rest.send("POST", `/${kind}/${encodeURIComponent(id)}/state?activate=${activate}`);
    const { name } = await rest.get<Entry>(entryPath(kind, id));
    return {
      to: `${kind}/${id}`,
      notice: {
        text: `${name} is ${activate ? "on" : "off"}.`,
        undo: { path: `${kind}/${id}/state`, fields: { activate: String(!activate) } },
      },
    };
  };
}

export const switchTool = switching("tools");
export const switchResource = switching("resources");
export const switchPrompt = switching("prompts");

/** null: it was never used, or is not counted. */
export function executionsOf(executions: Executions | null): string | null {
  if (executions === null || executions.totalExecutions === 0) return null;
  const { totalExecutions, failedExecutions, avgResponseTime, maxResponseTime } = executions;
  return `${totalExecutions.toLocaleString("en")}, ${failedExecutions.toLocaleString("en")} failed; ` +
    `mean ${timeOf(avgResponseTime)}, longest ${timeOf(maxResponseTime)}`;
}

/** null: there is none. */
export function tagsOf({ tags }: Entry): string | null {
  return tags.length === 0 ? null : tags.map(({ label }) => label).join(", ");
}
