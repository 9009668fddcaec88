// A request that its client repeats with answers to questions. Caller and salient parameters must be the same (2026-07-28, "Multi
// Round-Trip Requests").
import { createHash } from "node:crypto";
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import { ownerOf, type SessionOwner } from "../session/session_id.ts";

/** Parameters that may differ between the requests of a call. */
const OF_THE_TURN: ReadonlySet<string> = new Set(["_meta", "inputResponses", "requestState"]);

export class RetriedRequest {
  readonly method: string;
  readonly #principal: Principal;
  readonly #serverId: string | null;
  readonly #params: unknown;
  #owner: SessionOwner | undefined;
  #digest: string | undefined;

  constructor({ method, params }: RequestMessage, principal: Principal, serverId: string | null) {
    this.method = method;
    this.#principal = principal;
    this.#serverId = serverId;
    this.#params = params;
  }

  /** Computed on demand, like the digest: few requests need them. */
  get owner(): SessionOwner {
    return this.#owner ??= ownerOf(this.#principal, this.#serverId);
  }

  /** Equal for the same method and parameters, however they are written. */
  get digest(): string {
    return this.#digest ??= createHash("sha256")
      .update(JSON.stringify([this.method, ...membersOf(this.#params).filter(isSalient)]))
      .digest("base64url");
  }
}

/** Some clients write no arguments as {}, others omit them. */
function isSalient([name, value]: [name: string, value: unknown]): boolean {
  return !OF_THE_TURN.has(name) && !(name === "arguments" && JSON.stringify(value) === NO_MEMBERS);
}

/** One error for every invalid `requestState`, so that guessing reveals nothing. */
export function stateRefused(): SluiceError {
  return new SluiceError("INVALID_PARAMS", { reason: '"requestState" is unknown, used or expired' });
}

const NO_MEMBERS = JSON.stringify(inOneOrder({}));

function membersOf(value: unknown): [name: string, value: unknown][] {
  if (!isObject(value)) return [];
  return Object.keys(value).sort().map((name) => [name, inOneOrder(value[name])]);
}

function inOneOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOneOrder);
  return isObject(value) ? { members: membersOf(value) } : value;
}
