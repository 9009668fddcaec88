// A call that needs a login of a person: the client is asked to open the page where the user connects the upstream, and the call goes on
// when that is done (2025-11-25, elicitation, "URL Mode Elicitation Requests"; 2026-07-28: as an input request). Clients that cannot be
// asked get the error with the link.
import { Cancellation } from "../../base/cancellation.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { isObject, memberText } from "../../mcp/json_rpc.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { ConnectionRow } from "../../store/upstream_tokens/connections.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "./call_context.ts";

export interface LoginQuestionsDeps {
  /** What clients of this gateway put before its paths; null: the Host header of the request tells. */
  readonly publicUrl: string | null;
  /** The listener has TLS. */
  readonly isSecure: boolean;
  /** The logins that a user's calls use. */
  readonly connections: (user: string) => Promise<readonly ConnectionRow[]>;
  /** Has the next request of each person look at the database. */
  readonly recheck: () => void;
  readonly clock: Clock;
  /** Time that a user has to log in: MCP_CLIENT_REQUEST_TIMEOUT. */
  readonly timeoutMs: number;
}

/** Pause between two look-ups of the login. */
const LOOK_MS = 500;

/** A call may need a login, and then further rights. */
const MAX_QUESTIONS = 2;

export class LoginQuestions {
  constructor(private readonly deps: LoginQuestionsDeps) {}

  /**
   * @param answer of the first try
   * @param again tries once more, after a login
   * @throws {SluiceError} UPSTREAM_LOGIN_NEEDED with the link; what the call throws
   */
  async orAsk(
    gatewayId: string,
    call: CallContext,
    answer: Promise<RpcAnswer>,
    again: () => Promise<RpcAnswer>,
  ): Promise<RpcAnswer> {
    let attempt = answer;
    for (let questions = 0;; questions++) {
      try {
        return await attempt;
      } catch (error) {
        if (!isError(error, "UPSTREAM_LOGIN_NEEDED")) throw error;
        const { params, cause } = error;
        const link = this.#absolute(String(params.link), call);
        const isAsked = questions < MAX_QUESTIONS &&
          await this.#isConnected(gatewayId, call, link, String(params.upstream));
        if (!isAsked) throw new SluiceError("UPSTREAM_LOGIN_NEEDED", { ...params, link }, { cause });
        attempt = again();
      }
    }
  }

  /** Asks, and waits until the user has logged in. @returns false if the client cannot be asked, or the user does not log in */
  async #isConnected(gatewayId: string, call: CallContext, url: string, upstream: string): Promise<boolean> {
    const { clock, timeoutMs, recheck } = this.deps;
    const { client, signal = new Cancellation() } = call;
    if (client?.request === undefined || !takesLinks(call) || !URL.canParse(url)) return false;
    const elicitationId = call.revision === STATELESS_REVISION ? undefined : crypto.randomUUID();
    const message = `Connect your account at ${upstream}: the tool needs a login of yours.`;
    const until = clock.now() + timeoutMs;
    const params = JSON.stringify({ mode: "url", message, url, elicitationId });
    const reply = await client.request("elicitation/create", params, { signal, onProgress: () => {} });
    if (reply.failed || memberText(reply.text, "action") !== '"accept"') return false;
    while (!await this.#hasLogin(gatewayId, call)) {
      signal.throwIfAborted();
      if (clock.now() >= until) return false;
      await sleep(clock, LOOK_MS);
    }
    recheck();
    if (elicitationId !== undefined) {
      const method = "notifications/elicitation/complete";
      client.notify(JSON.stringify({ jsonrpc: "2.0", method, params: { elicitationId } }));
    }
    return true;
  }

  async #hasLogin(gatewayId: string, { principal }: CallContext): Promise<boolean> {
    const rows = await this.deps.connections(principal.email);
    const row = rows.find((each) => each.gatewayId === gatewayId);
    return row !== undefined && row.fault === null && row.wantedScope === null &&
      (row.isRenewable || row.expiresAt === null || row.expiresAt > this.deps.clock.now());
  }

  #absolute(path: string, { received }: CallContext): string {
    const { publicUrl, isSecure } = this.deps;
    const host = received.get("host");
    if (publicUrl !== null) return publicUrl + path;
    return host === null ? path : `${isSecure ? "https" : "http"}://${host}${path}`;
  }
}

/** Does the client open links for its user? */
function takesLinks({ bound, clientCapabilities }: CallContext): boolean {
  const text = bound?.client.capabilities ?? clientCapabilities;
  if (text === undefined) return false;
  const { elicitation } = JSON.parse(text);
  return isObject(elicitation) && isObject(elicitation.url);
}
