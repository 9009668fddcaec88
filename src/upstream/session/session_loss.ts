// Finds out whether an upstream has lost a session. The specification has HTTP 404 for that (2025-11-25, transports, "Session
// Management"), but servers also answer 400, 401, 403, 410, 422, 500, 503, or a JSON-RPC error of any code and words. The state decides
// instead: a session is lost if it refuses a ping, and a new session of the same upstream answers one.
import { type Clock, systemClock } from "../../base/clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { operatorText } from "../../base/seen_answer.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../client/client_peer.ts";
import type { UpstreamChannel } from "./upstream_channel.ts";

/** How a call ended. */
export type Outcome = { readonly answer: RpcAnswer } | { readonly error: unknown };

/** Gives the answer of a call. @throws what the call failed with */
export function endOf(outcome: Outcome): RpcAnswer {
  if ("error" in outcome) throw outcome.error;
  return outcome.answer;
}

/** How a session that seems to be lost refused a call. */
export interface Suspicion {
  /** The ping was refused in the same way. The upstream looks up the session before it executes anything, so the call had no effect. */
  readonly isUnexecuted: boolean;
}

interface Refusal {
  /** The HTTP status, or the code of the JSON-RPC error. */
  readonly kind: string;
  readonly words: string;
}

/** Statuses that servers answer for a session that they do not know. */
const STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404, 410, 422, 500, 503]);

const METHOD_NOT_FOUND = -32601;

const PING_TIMEOUT_MS = 5_000;

/** Time in which a session that answered a ping is not suspected again. Calls that fail for their own reasons then cost no more. */
const ALIVE_MS = 10_000;

/** Time in which no session of an upstream is suspected, after a new session was refused too. */
const QUIET_MS = 30_000;

export class SessionLoss {
  readonly #clock: Clock;
  readonly #aliveUntil = new WeakMap<UpstreamChannel, number>();
  /** Calls that fail together share a ping. */
  readonly #pings = new WeakMap<UpstreamChannel, Promise<Refusal | null>>();
  #quietUntil = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Asks whether the session may be lost, after a call failed. Null: the failure is the call's own. Never throws. */
  async suspects(session: UpstreamChannel, outcome: Outcome): Promise<Suspicion | null> {
    const refusal = refusalIn(outcome);
    const now = this.#clock.now();
    // A process or socket ends visibly.
    if (refusal === null || session.closed || session.transfer() === null) return null;
    if (now < this.#quietUntil || now < (this.#aliveUntil.get(session) ?? 0)) return null;
    const pinged = await this.#ping(session);
    if (pinged === null) {
      this.#aliveUntil.set(session, this.#clock.now() + ALIVE_MS);
      return null;
    }
    return { isUnexecuted: isSame(refusal, pinged) && !mayBeExecuted(refusal) };
  }

  /** Whether the new session proves that the other one is lost. If not, the upstream is not suspected for a while. Never throws. */
  async isProvenBy(fresh: UpstreamChannel, lost: UpstreamChannel): Promise<boolean> {
    // The upstream may have been unavailable for a moment. The session with its state is worth a second ping.
    const isProven = await this.#ping(fresh) === null && await this.#ping(lost) !== null;
    if (!isProven) this.disproved();
    return isProven;
  }

  /** The upstream refuses new sessions as well. */
  disproved(): void {
    this.#quietUntil = this.#clock.now() + QUIET_MS;
  }

  #ping(session: UpstreamChannel): Promise<Refusal | null> {
    let ping = this.#pings.get(session);
    if (ping === undefined) {
      const limits = { timeoutMs: PING_TIMEOUT_MS, timeoutSetting: "a fixed limit" };
      const asked = session.request("ping", undefined, limits);
      ping = asked.then((answer) => refusalIn({ answer }), (error) => refusalIn({ error }))
        .finally(() => this.#pings.delete(session));
      this.#pings.set(session, ping);
    }
    return ping;
  }
}

/** How the upstream refused a request; null if it did not, or if a lost session does not explain the failure. */
function refusalIn(outcome: Outcome): Refusal | null {
  if ("answer" in outcome) {
    if (!outcome.answer.failed) return null;
    const error: unknown = JSON.parse(outcome.answer.text);
    const { code, message } = isObject(error) ? error : { code: undefined, message: undefined };
    return code === METHOD_NOT_FOUND ? null : { kind: `error ${code}`, words: String(message) };
  }
  const { error } = outcome;
  if (!(error instanceof SluiceError)) return null;
  if (error.code === "UPSTREAM_SESSION_EXPIRED") return { kind: "HTTP 404", words: "" };
  // A page or an empty body with status 200, or an error response without the request's id.
  const isStrange = error.code === "UPSTREAM_PROTOCOL_ERROR";
  const { status } = error.params;
  const isRefused = error.code === "UPSTREAM_HTTP_ERROR" || error.code === "UPSTREAM_AUTH_FAILED";
  if (!isStrange && !(isRefused && STATUSES.has(Number(status)))) return null;
  return { kind: isStrange ? "no answer" : `HTTP ${status}`, words: operatorText(error) };
}

/** Ids and counters in the words do not count. */
function isSame(one: Refusal, other: Refusal): boolean {
  const plain = ({ words }: Refusal) => words.replace(/\d+/g, "#");
  return one.kind === other.kind && plain(one) === plain(other);
}

/** A server that fails in the middle of a call answers 5xx in the same words as for anything else, unless they name the session. */
function mayBeExecuted({ kind, words }: Refusal): boolean {
  return /^HTTP 5/.test(kind) && !/session/i.test(words);
}

/** The failure of a call whose session was lost. The words for refused credentials do not fit it. */
export function failureInLostSession(outcome: Outcome, upstream: string): Outcome {
  if (!("error" in outcome) || !isError(outcome.error, "UPSTREAM_AUTH_FAILED")) return outcome;
  const { cause } = outcome.error;
  return { error: new SluiceError("UPSTREAM_SESSION_EXPIRED", { upstream }, { cause }) };
}
