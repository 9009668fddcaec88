// Fields for the access log: the method of a request, and the tool, resource or prompt that it names.
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import { type CallNote, noteMethod, noteOf, noteResource, noteTool } from "../../telemetry/call_note.ts";

export function noteRequest(
  note: CallNote,
  { method, params }: Pick<RequestMessage, "method" | "params">,
): void {
  noteMethod(note, method);
  if (!isObject(params)) return;
  // A completion refers to a prompt or to a resource template.
  const { name, uri } = isObject(params.ref) ? params.ref : params;
  if (typeof name === "string" && NAMED.has(method)) noteTool(note, name);
  else if (typeof uri === "string" && NAMED.has(method)) noteResource(note, uri);
}

/** The note of one request of a batch. @param message null: unreadable. @param batch undefined: nothing is noted */
export function noteMember(
  batch: CallNote | undefined,
  message: RequestMessage | null,
): CallNote | undefined {
  if (batch === undefined) return undefined;
  const note = noteOf(batch);
  if (message !== null) noteRequest(note, message);
  (batch.calls ??= []).push(note);
  return note;
}

/** The parameter that names the target. Other methods have none, or are tools whose params are the arguments. */
const NAMED: ReadonlySet<string> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
]);
