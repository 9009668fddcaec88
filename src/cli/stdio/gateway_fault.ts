// What the client of a bridge is told when the gateway cannot be reached, or refuses a request as a whole.
import { SluiceError } from "../../base/errors.ts";
import { rpcErrorText } from "../../http/error_response.ts";
import { isObject, memberText } from "../../mcp/json_rpc.ts";
import { CORRELATION_HEADER } from "../../telemetry/call_note.ts";

/** Words of a foreign response, such as a proxy's, that are shown. */
const MAX_WORDS_CHARS = 200;

/** A refusal of the gateway. `errorText` is its JSON-RPC error object, as JSON text. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly errorText: string, message: string) {
    super(message);
    this.name = "Refusal";
  }

  /** The gateway's code of the error table; undefined for a foreign response. */
  get code(): unknown {
    const { data } = JSON.parse(this.errorText);
    return isObject(data) ? data.code : undefined;
  }
}

/** Reads a response that is no success. @param origin of the gateway, for a response that is not the gateway's */
export async function refusalIn(response: Response, origin: string): Promise<Refusal> {
  const text = await response.text();
  const error = errorIn(text);
  if (error !== null) return new Refusal(response.status, error, String(JSON.parse(error).message));
  const words = text.replaceAll(/<[^>]*>|\s+/g, " ").trim().slice(0, MAX_WORDS_CHARS);
  const reason = `it answered HTTP ${response.status}${words === "" ? "" : `: ${words}`}`;
  return new Refusal(
    response.status,
    ...unreachable(origin, reason, response.headers.get(CORRELATION_HEADER)),
  );
}

/** The connection could not be opened, or broke. @param error that `fetch` threw */
export function connectRefusal(error: unknown, origin: string): Refusal {
  return new Refusal(0, ...unreachable(origin, connectFault(wordsOf(error)), null));
}

/** Was a request surely not sent? Then it can be sent again. */
export function isUnsent(error: unknown): boolean {
  return /client error \(Connect\)/.test(wordsOf(error));
}

/** Why the gateway cannot be reached, and the remedy. @param words of the runtime */
export function connectFault(words: string): string {
  const reason = words.replace(/^.*client error \(\w+\): /, "");
  if (/tcp connect error/.test(reason)) return "nothing listens there. Start the gateway, or correct --url";
  if (/dns error/.test(reason)) return "the host name cannot be resolved. Correct --url";
  if (/InvalidContentType/.test(reason)) return "the gateway does not serve HTTPS. Use http:// in --url";
  if (/invalid peer certificate/.test(reason)) {
    return `${reason}. Name the file of the certificate's authority in the environment variable DENO_CERT`;
  }
  return reason;
}

const TOKEN_REMEDIES = {
  file: "Put a valid token into the file of --token-file; it is read again",
  variable: "Put a valid token into the variable SLUICE_TOKEN, and start this command again",
  none: "Name a file with a token by --token-file",
} as const;

/** What the operator can do about a refusal, as a sentence; null: nothing that this command knows of. */
export function remedyFor({ status }: Refusal, tokenFrom: "file" | "variable" | "none"): string | null {
  if (status === 401) return TOKEN_REMEDIES[tokenFrom];
  if (status === 403) return "Use a token without that limit";
  return status === 404 ? "Correct --url and --server" : null;
}

function unreachable(
  url: string,
  reason: string,
  correlationId: string | null,
): [error: string, message: string] {
  const error = new SluiceError("GATEWAY_UNREACHABLE", { url, reason });
  return [rpcErrorText({ error, correlationId: correlationId ?? crypto.randomUUID() }), error.message];
}

/** The error object of a JSON-RPC response, as text; null: the text is none. */
function errorIn(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    const isError = isObject(value) && isObject(value.error) && typeof value.error.message === "string";
    return isError ? memberText(text, "error")! : null;
  } catch {
    return null;
  }
}

/** Deno 2.9 has the words in the cause, earlier ones in the error itself. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
