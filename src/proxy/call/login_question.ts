// A call that needs a login of a person: the client is asked to open the page where the user connects the upstream, and the call goes on
// when that is done (2025-11-25, elicitation, "URL Mode Elicitation Requests"; 2026-07-28: as an input request). A client of 2025-11-25
// whose user has not logged in by then gets the error of its revision ("URL Elicitation Required Error"). Clients that cannot be asked get
// the error with the link.
import { Cancellation } from "../../base/cancellation.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { isObject, memberText } from "../../mcp/json_rpc.ts";
import { type AnyRevision, LATEST_SESSION_REVISION, STATELESS_REVISION } from "../../mcp/revisions.ts";
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

/** The parameters of `elicitation/create`. */
interface Visit {
  readonly mode: "url";
  readonly message: string;
  readonly url: string;
  /** Absent in 2026-07-28. */
  readonly elicitationId?: string;
}

/** refused: the client, or its user, opens no link. open: the user has not logged in yet. */
type VisitOutcome = "connected" | "refused" | "open";

export class LoginQuestions {
  constructor(private readonly deps: LoginQuestionsDeps) {}

  /**
   * @param answer of the first try
   * @param again tries once more, after a login
   * @throws {SluiceError} UPSTREAM_LOGIN_NEEDED or URL_ELICITATION_REQUIRED with the link; what the call throws
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
        const visit = visitOf(link, String(params.upstream), call);
        const outcome = !takesLinks(call) || !URL.canParse(link)
          ? "refused"
          : questions < MAX_QUESTIONS
          ? await this.#ask(gatewayId, call, visit)
          : "open";
        if (outcome !== "connected") {
          // The revisions with sessions have an error for clients that open links; 2026-07-28 has none.
          const isOpen = outcome === "open" && call.revision !== STATELESS_REVISION;
          throw isOpen
            ? new SluiceError("URL_ELICITATION_REQUIRED", { ...params, link }, {
              ...{ cause, data: { elicitations: [visit] } },
            })
            : new SluiceError("UPSTREAM_LOGIN_NEEDED", { ...params, link }, { cause });
        }
        attempt = again();
      }
    }
  }

  /** Asks, and waits until the user has logged in. */
  async #ask(gatewayId: string, call: CallContext, visit: Visit): Promise<VisitOutcome> {
    const { clock, timeoutMs, recheck } = this.deps;
    const { client, signal = new Cancellation() } = call;
    if (client?.request === undefined) return "open";
    const until = clock.now() + timeoutMs;
    try {
      const asking = { signal, onProgress: () => {} };
      const reply = await client.request("elicitation/create", JSON.stringify(visit), asking);
      if (reply.failed || memberText(reply.text, "action") !== '"accept"') return "refused";
    } catch (error) {
      if (isError(error, "CLIENT_DID_NOT_ANSWER")) return "open";
      throw error;
    }
    while (!await this.#hasLogin(gatewayId, call)) {
      signal.throwIfAborted();
      if (clock.now() >= until) return "open";
      await sleep(clock, LOOK_MS);
    }
    recheck();
    const { elicitationId } = visit;
    if (elicitationId !== undefined) {
      const method = "notifications/elicitation/complete";
      client.notify(JSON.stringify({ jsonrpc: "2.0", method, params: { elicitationId } }));
    }
    return "connected";
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

function visitOf(url: string, upstream: string, { revision }: CallContext): Visit {
  const message = `Connect your account at ${upstream}: the tool needs a login of yours.`;
  return {
    ...{ mode: "url", message, url },
    ...revision === STATELESS_REVISION ? {} : { elicitationId: crypto.randomUUID() },
  };
}

/** Revisions before 2025-11-25 have no links. */
const WITH_LINKS: ReadonlySet<AnyRevision> = new Set([LATEST_SESSION_REVISION, STATELESS_REVISION]);

/** Does the client open links for its user? */
function takesLinks({ bound, clientCapabilities, revision }: CallContext): boolean {
  const text = bound?.client.capabilities ?? clientCapabilities;
  if (text === undefined || !WITH_LINKS.has(revision)) return false;
  const { elicitation } = JSON.parse(text);
  return isObject(elicitation) && isObject(elicitation.url);
}
