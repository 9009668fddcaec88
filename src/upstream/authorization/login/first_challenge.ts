// What an upstream says of the token that it wants, before anybody has logged in: the challenge of its answer to a request without one.
import { META, STATELESS_REVISION } from "../../../mcp/revisions.ts";
import { type BearerChallenge, readChallenge } from "../bearer_challenge.ts";
import { ask, type LoginExchange, type SendToServer } from "../login_exchange.ts";

type Probe = Omit<Parameters<SendToServer>[0], "url" | "caCertificate" | "isHeadOnly">;

const CLIENT_INFO = { name: "sluice", version: "1" };

/**
 * An upstream may let everybody open a session, and refuse later requests with the scopes that they need. A request of 2026-07-28 needs
 * no session.
 */
const LIST = post("tools/list", {
  _meta: {
    [META.protocolVersion]: STATELESS_REVISION,
    [META.clientInfo]: CLIENT_INFO,
    [META.clientCapabilities]: {},
  },
}, [["mcp-protocol-version", STATELESS_REVISION], ["mcp-method", "tools/list"]]);

/** An upstream may look at the session before the token. */
const INITIALIZE = post("initialize", {
  ...{ protocolVersion: "2025-11-25", capabilities: {}, clientInfo: CLIENT_INFO },
});

const STREAM: Probe = { method: "GET", headers: [["accept", "text/event-stream"]] };

const NONE = readChallenge(null);

/**
 * Reads the heads of answers alone: a stream for everybody does not end, and a list for everybody may be long.
 * @returns an empty challenge if the upstream refuses no request with 401
 * @throws {LoginFault} if an upstream with transport STREAMABLEHTTP does not answer
 */
export async function firstChallenge(
  exchange: LoginExchange,
  { url, transport }: { readonly url: URL; readonly transport: string },
): Promise<BearerChallenge> {
  if (transport === "SSE") return await challengeFor(STREAM).catch(() => null) ?? NONE;
  return await challengeFor(LIST).catch(() => null) ?? await challengeFor(INITIALIZE) ?? NONE;

  async function challengeFor(probe: Probe): Promise<BearerChallenge | null> {
    const { status, challenge = null, sessionId = null } = await ask(exchange, {
      ...{ ...probe, url, isHeadOnly: true },
    });
    // The upstream opens sessions without a token, and has opened one for this probe. The person who logs in does not wait for its end.
    if (sessionId !== null) void endSession(exchange, url, sessionId);
    return status === 401 ? readChallenge(challenge) : null;
  }
}

/**
 * The request names no revision, because only the text of the answer has it. Servers then assume 2025-03-26, which all servers with
 * sessions know.
 */
async function endSession(exchange: LoginExchange, url: URL, sessionId: string): Promise<void> {
  const headers = [["mcp-session-id", sessionId]] as const;
  await ask(exchange, { method: "DELETE", url, headers, isHeadOnly: true }).catch(() => {});
}

function post(method: string, params: unknown, headers: Probe["headers"] = []): Probe {
  return {
    method: "POST",
    headers: [
      ...[["content-type", "application/json"], ["accept", "application/json, text/event-stream"]] as const,
      ...headers,
    ],
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  };
}
