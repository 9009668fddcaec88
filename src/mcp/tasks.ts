// What tasks are called on the wire: part of revision 2025-11-25 ("Tasks", experimental), an extension of 2026-07-28.
import { memberText, removeMember, replaceMember } from "./json_rpc.ts";

/** The extension's id, in the `extensions` of both sides' capabilities. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

/** The `_meta` key by which a message says which task it belongs to (2025-11-25). */
export const RELATED_TASK = "io.modelcontextprotocol/related-task";

/** The notifications that hold a task: 2025-11-25's and the extension's. */
export const TASK_NOTIFICATIONS: ReadonlySet<string> = new Set([
  "notifications/tasks/status",
  "notifications/tasks",
]);

/** Does a client's capabilities text name the extension? */
export function declaresTasksExtension(capabilities: string | undefined): boolean {
  // A slash may be written with an escape.
  if (capabilities === undefined || !capabilities.includes("/tasks")) return false;
  return memberText(memberText(capabilities, "extensions") ?? "{}", TASKS_EXTENSION) !== undefined;
}

/** The capabilities of a client that is to be given no task of the extension's. */
export function withoutTasksExtension(capabilities: string): string {
  if (!declaresTasksExtension(capabilities)) return capabilities;
  const extensions = removeMember(memberText(capabilities, "extensions")!, TASKS_EXTENSION);
  return replaceMember(capabilities, "extensions", extensions);
}
