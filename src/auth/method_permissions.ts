// The permission that each MCP method needs. The dispatcher checks it before a method's handler runs; the manual and the tests of who
// may call what read this table too.
import type { Permission } from "./permission_table.ts";

export const METHOD_PERMISSIONS = {
  "initialize": null,
  "server/discover": null,
  "ping": null,
  "logging/setLevel": null,
  "tools/list": "tools.read",
  "tools/call": "tools.execute",
  "tasks/list": "tools.execute",
  "tasks/get": "tools.execute",
  "tasks/result": "tools.execute",
  "tasks/update": "tools.execute",
  "tasks/cancel": "tools.execute",
  "resources/list": "resources.read",
  "resources/templates/list": "resources.read",
  "resources/read": "resources.read",
  "resources/subscribe": "resources.read",
  "resources/unsubscribe": "resources.read",
  "prompts/list": "prompts.read",
  "prompts/get": "prompts.read",
  // By the kind of what is completed: COMPLETION_PERMISSIONS.
  "completion/complete": null,
} as const satisfies Readonly<Record<string, Permission | null>>;

export type Method = keyof typeof METHOD_PERMISSIONS;

/** What `completion/complete` needs, by the type of its reference. */
export const COMPLETION_PERMISSIONS = {
  "ref/prompt": "prompts.read",
  "ref/resource": "resources.read",
} as const satisfies Readonly<Record<string, Permission>>;
