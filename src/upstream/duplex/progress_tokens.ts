// Replaces callers' progress tokens, because different callers of one connection may choose the same token.
import { BoundedMap } from "../../base/bounded_map.ts";
import {
  findMember,
  isObject,
  type JsonObject,
  memberText,
  replaceMember,
  requireSoleMember,
} from "../../mcp/json_rpc.ts";

export interface OwnToken {
  /** The request with the gateway's token. */
  readonly body: string;
  /** The caller's token as written; undefined: the caller wants no progress. */
  readonly callersToken: string | undefined;
}

/** Limit of remembered tasks. Progress of the oldest is then dropped. */
const MAX_TASKS = 1_000;

export class ProgressTokens {
  /** The prefix is unique per connection, because some bridges send one socket's progress to all their sockets. */
  readonly #prefix = `${crypto.randomUUID()}-`;
  /** The callers' tokens of answered requests whose tasks may still run. */
  readonly #ofTasks = new BoundedMap<number, string>({ maxEntries: MAX_TASKS });

  /**
   * Replaces the caller's token with a unique one.
   * @throws {SluiceError} INVALID_REQUEST for a duplicate token: a server that reads the other one would report to the wrong
   *  call
   */
  replace(body: string, id: number): OwnToken {
    // Most calls have no token. The key may be written with escapes.
    if (!body.includes("progressToken") && !body.includes("\\u")) return { body, callersToken: undefined };
    const params = memberText(body, "params");
    const meta = params === undefined ? undefined : memberText(params, "_meta");
    const callersToken = meta === undefined ? undefined : memberText(meta, "progressToken");
    // A token is a string or a number. The upstream refuses anything else.
    if (callersToken === undefined || !/^["\d-]/.test(callersToken)) return { body, callersToken: undefined };
    requireSoleMember(params!, "_meta");
    requireSoleMember(meta!, "progressToken");
    const ownMeta = replaceMember(meta!, "progressToken", `"${this.#prefix}${id}"`);
    return { body: replaceMember(body, "params", replaceMember(params!, "_meta", ownMeta)), callersToken };
  }

  /** Keeps the token of a request whose result is a task (2025-11-25, progress: "throughout the task's lifetime"). */
  answered(id: number, { result }: JsonObject, callersToken: string | undefined): void {
    if (callersToken === undefined || !isObject(result) || !isObject(result.task)) return;
    this.#ofTasks.set(id, callersToken);
  }

  /** The caller's token of an answered request whose task may still run. */
  ofTask(id: number): string | undefined {
    return this.#ofTasks.get(id);
  }

  /** The request that a progress notification belongs to; undefined: none of this connection. */
  requestOf({ params }: JsonObject): number | undefined {
    const token = isObject(params) ? params.progressToken : undefined;
    return typeof token === "string" && token.startsWith(this.#prefix)
      ? Number(token.slice(this.#prefix.length))
      : undefined;
  }

  /** Restores the caller's token in a notification, as value and as text. */
  static restore(
    value: JsonObject,
    text: string,
    callersToken: string,
  ): readonly [value: JsonObject, text: string] {
    const { start, end } = findMember(text, "params")!;
    const params = replaceMember(text.slice(start, end), "progressToken", callersToken);
    const progressToken: unknown = JSON.parse(callersToken);
    return [
      { ...value, params: { ...value.params as JsonObject, progressToken } },
      text.slice(0, start) + params + text.slice(end),
    ];
  }
}
