// Which method a request calls, and on what, for the access log.
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import { type CallNote, noteMethod, noteResource, noteTool } from "../../telemetry/call_note.ts";

export function noteRequest(
  note: CallNote,
  { method, params }: Pick<RequestMessage, "method" | "params">,
): void {
  noteMethod(note, method);
  if (!isObject(params)) return;
  // A completion is for a prompt, or for a resource template.
  const { name, uri } = isObject(params.ref) ? params.ref : params;
  if (typeof name === "string" && NAMED.has(method)) noteTool(note, name);
  else if (typeof uri === "string" && NAMED.has(method)) noteResource(note, uri);
}

/** The note of one request of a batch. @param message null: it could not be read. @param batch undefined: nothing is logged */
export function noteMember(
  batch: CallNote | undefined,
  message: RequestMessage | null,
): CallNote | undefined {
  if (batch === undefined) return undefined;
  const note: CallNote = { correlationId: batch.correlationId };
  if (message !== null) noteRequest(note, message);
  (batch.calls ??= []).push(note);
  return note;
}

/** The other methods have no params that name something, or are tools, whose params are the arguments. */
const NAMED: ReadonlySet<string> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
]);
