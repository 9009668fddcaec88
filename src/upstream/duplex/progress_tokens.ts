// Progress tokens on a connection that many callers use: each call goes out under a token that no other call has.
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
  /** The request with our token in the caller's place. */
  readonly body: string;
  /** The caller's token as it was written; undefined: the caller wants no progress. */
  readonly callersToken: string | undefined;
}

/** Of more calls that made tasks the progress of the oldest is no longer told. */
const MAX_TASKS = 1_000;

export class ProgressTokens {
  /** Bridges tell all their sockets what one of them asked for, so the tokens are no other connection's either. */
  readonly #prefix = `${crypto.randomUUID()}-`;
  /** Callers' tokens of requests that are answered, and whose tasks are under way perhaps. */
  readonly #ofTasks = new BoundedMap<number, string>({ maxEntries: MAX_TASKS });

  /**
   * Puts a token of our own in the place of the caller's: two callers may have chosen the same one.
   * @throws {SluiceError} INVALID_REQUEST where there are two tokens: a server that takes the other one would tell its progress
   *  to somebody else's call
   */
  replace(body: string, id: number): OwnToken {
    // Most calls have none. A key may be written with escapes.
    if (!body.includes("progressToken") && !body.includes("\\u")) return { body, callersToken: undefined };
    const params = memberText(body, "params");
    const meta = params === undefined ? undefined : memberText(params, "_meta");
    const callersToken = meta === undefined ? undefined : memberText(meta, "progressToken");
    // A token is a string or a number; anything else is the upstream's to refuse.
    if (callersToken === undefined || !/^["\d-]/.test(callersToken)) return { body, callersToken: undefined };
    requireSoleMember(params!, "_meta");
    requireSoleMember(meta!, "progressToken");
    const ownMeta = replaceMember(meta!, "progressToken", `"${this.#prefix}${id}"`);
    return { body: replaceMember(body, "params", replaceMember(params!, "_meta", ownMeta)), callersToken };
  }

  /**
   * A request is answered. Where a task is its answer, its token goes on to mean that task (2025-11-25, progress: "throughout the
   * task's lifetime").
   */
  answered(id: number, { result }: JsonObject, callersToken: string | undefined): void {
    if (callersToken === undefined || !isObject(result) || !isObject(result.task)) return;
    this.#ofTasks.set(id, callersToken);
  }

  /** The caller's token of an answered request whose task may be under way. */
  ofTask(id: number): string | undefined {
    return this.#ofTasks.get(id);
  }

  /** The request that a progress notification is about; undefined: none of this connection's. */
  requestOf({ params }: JsonObject): number | undefined {
    const token = isObject(params) ? params.progressToken : undefined;
    return typeof token === "string" && token.startsWith(this.#prefix)
      ? Number(token.slice(this.#prefix.length))
      : undefined;
  }

  /** The notification with the caller's own token, as value and as text. */
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
