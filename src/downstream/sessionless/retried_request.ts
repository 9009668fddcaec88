// A request that its client makes again, with the answers to what it was asked: what has to be the same then (2026-07-28, "Multi
// Round-Trip Requests": who asks, and the salient parameters).
import { createHash } from "node:crypto";
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import { ownerOf, type SessionOwner } from "../session/session_id.ts";

/** Whatever belongs to one turn alone. */
const OF_THE_TURN: ReadonlySet<string> = new Set(["_meta", "inputResponses", "requestState"]);

export class RetriedRequest {
  readonly method: string;
  readonly owner: SessionOwner;
  readonly #params: unknown;
  #digest: string | undefined;

  constructor({ method, params }: RequestMessage, principal: Principal, serverId: string | null) {
    this.method = method;
    this.owner = ownerOf(principal, serverId);
    this.#params = params;
  }

  /** The same for the same method and parameters, however they are written. Of most requests nobody asks for it. */
  get digest(): string {
    return this.#digest ??= createHash("sha256")
      .update(JSON.stringify([this.method, ...membersOf(this.#params).filter(isSalient)]))
      .digest("base64url");
  }
}

/** No arguments are written as {} by some, by others not at all. */
function isSalient([name, value]: [name: string, value: unknown]): boolean {
  return !OF_THE_TURN.has(name) && !(name === "arguments" && JSON.stringify(value) === NO_MEMBERS);
}

/** One answer to all that is wrong with a `requestState`: who tries some out learns nothing. */
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
