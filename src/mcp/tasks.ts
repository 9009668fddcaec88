// The names of tasks on the wire: part of revision 2025-11-25 ("Tasks", experimental), and an extension of 2026-07-28.
import { memberText, removeMember, replaceMember } from "./json_rpc.ts";

/** The extension's id in the `extensions` capability of both sides. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

/** The `_meta` key that names a message's task (2025-11-25). */
export const RELATED_TASK = "io.modelcontextprotocol/related-task";

/** The notifications about a task, of 2025-11-25 and of the extension. */
export const TASK_NOTIFICATIONS: ReadonlySet<string> = new Set([
  "notifications/tasks/status",
  "notifications/tasks",
]);

/** Whether a client's capabilities text declares the extension. */
export function declaresTasksExtension(capabilities: string | undefined): boolean {
  // The slash may be escaped.
  if (capabilities === undefined || !capabilities.includes("/tasks")) return false;
  return memberText(memberText(capabilities, "extensions") ?? "{}", TASKS_EXTENSION) !== undefined;
}

/** The capabilities without the extension, for a client that must not be given such tasks. */
export function withoutTasksExtension(capabilities: string): string {
  if (!declaresTasksExtension(capabilities)) return capabilities;
  const extensions = removeMember(memberText(capabilities, "extensions")!, TASKS_EXTENSION);
  return replaceMember(capabilities, "extensions", extensions);
}
