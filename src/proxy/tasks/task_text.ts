// Finds and replaces task ids in messages and results. All other bytes stay the same.
import { elementTexts, findMember, memberText, replaceMember } from "../../mcp/json_rpc.ts";
import { RELATED_TASK, TASK_NOTIFICATIONS } from "../../mcp/tasks.ts";

/** Maps a task id to another id, or to itself. */
export type Rename = (taskId: string) => string;

type Path = readonly string[];

const OF_RESULT: Path = ["_meta", RELATED_TASK, "taskId"];
const OF_MESSAGE: Path = ["params", ...OF_RESULT];

/** A cheap check: false means that the message is about no task. */
export function mayNameTask(text: string): boolean {
  return text.includes('"taskId"');
}

/** For results that belong to a task: of a request that runs as a task, or of tasks/result. */
export function renameInMeta(result: string, rename: Rename): string {
  return renameAt(result, OF_RESULT, rename);
}

/** For results that are a task: tasks/get, tasks/cancel, and 2026-07-28's CreateTaskResult. */
export function renameInTask(result: string, rename: Rename): string {
  return renameInMeta(renameAt(result, ["taskId"], rename), rename);
}

/** For results that contain a task: 2025-11-25's CreateTaskResult. */
export function renameInCreated(result: string, rename: Rename): string {
  return renameInMeta(renameAt(result, ["task", "taskId"], rename), rename);
}

/** For the tasks of a tasks/list result, each returned as text. */
export function renameInList(result: string, rename: Rename): string[] {
  return tasksIn(result).map((task) => renameAt(task, ["taskId"], rename));
}

/** Removes tasks from a tasks/list result. */
export function keepInList(result: string, isKept: (taskId: string) => boolean): string {
  const kept = tasksIn(result).filter((task) => {
    const taskId = taskIdIn(task);
    return taskId !== undefined && isKept(taskId);
  });
  return replaceMember(result, "tasks", `[${kept.join(",")}]`);
}

/** For a whole request or notification. */
export function renameInMessage(message: string, rename: Rename): string {
  const renamed = renameAt(message, OF_MESSAGE, rename);
  return isTaskNotification(message) ? renameAt(renamed, ["params", "taskId"], rename) : renamed;
}

/** The task that a notification is about; undefined: none. */
export function taskOfNotification(message: string): string | undefined {
  return isTaskNotification(message)
    ? taskIdIn(memberText(message, "params") ?? "{}")
    : stringAt(message, OF_MESSAGE);
}

/** The `taskId` of params or of a task. */
export function taskIdIn(text: string): string | undefined {
  return stringAt(text, ["taskId"]);
}

/** The id of the task in a CreateTaskResult of 2025-11-25. */
export function createdTaskIn(result: string): string | undefined {
  return stringAt(result, ["task", "taskId"]);
}

function isTaskNotification(message: string): boolean {
  const method = stringAt(message, ["method"]);
  return method !== undefined && TASK_NOTIFICATIONS.has(method);
}

function tasksIn(result: string): string[] {
  return elementTexts(memberText(result, "tasks") ?? "[]");
}

function stringAt(text: string, path: Path): string | undefined {
  let value: string | undefined = text;
  for (const name of path) value = value === undefined ? undefined : memberText(value, name);
  return value?.startsWith('"') ? JSON.parse(value) : undefined;
}

function renameAt(text: string, [name, ...rest]: Path, rename: Rename): string {
  const range = findMember(text, name!);
  if (range === null) return text;
  const value = text.slice(range.start, range.end);
  const renamed = rest.length > 0 ? renameAt(value, rest, rename) : renamedString(value, rename);
  return renamed === value ? text : text.slice(0, range.start) + renamed + text.slice(range.end);
}

function renamedString(value: string, rename: Rename): string {
  if (!value.startsWith('"')) return value;
  const taskId: string = JSON.parse(value);
  const renamed = rename(taskId);
  return renamed === taskId ? value : JSON.stringify(renamed);
}
