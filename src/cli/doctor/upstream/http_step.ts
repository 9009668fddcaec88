// The HTTP step: what the server answers to the first message of a client, with every redirect.
import { reasonOf } from "../../../base/errors.ts";
import type { Config } from "../../../config/schema.ts";
import { LATEST_SESSION_REVISION } from "../../../mcp/revisions.ts";
import { createHttp1Client } from "../../../upstream/http_client/configured_client.ts";
import type { HttpClient, HttpResponse } from "../../../upstream/http_client/http_client.ts";
import { isFollowed } from "../../../upstream/http_client/redirects.ts";
import { VERSION } from "../../../version.ts";
import { shownUrl, StepFailure, type StepResult, type UpstreamTarget } from "./step.ts";

const MAX_REDIRECTS = 5;
/** How much of an answer is looked at. */
const MAX_SHOWN = 120;
const MAX_HEAD_BYTES = 65_536;
const END_WITHIN_MS = 5_000;

/** Statuses with which servers of the older SSE transport refuse a POST. The MCP step tries that transport. */
const NO_POST: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 415, 422, 501]);

export async function readHttp(target: UpstreamTarget, config: Config): Promise<StepResult> {
  // The addresses of the server have been checked. Those of redirects are the operator's to see.
  const client = createHttp1Client(config, { maxHeadBytes: MAX_HEAD_BYTES, checkAddress: () => {} });
  const timeoutMs = config.mcpSessionPoolTransportTimeoutMs;
  const found: string[] = [];
  let from: UpstreamTarget = target;
  let isOnItsWay = true;
  try {
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await send(client, "POST", from, timeoutMs);
      const type = response.header("content-type") ?? "no content type";
      const server = response.header("server");
      found.push(
        `POST ${shownUrl(from.url)} is answered ${response.status} (${type}${
          server === null ? "" : `, by ${server}`
        }).`,
      );
      const location = response.header("location");
      const next = location === null ? null : URL.parse(location, from.url);
      if (response.status >= 300 && response.status < 400 && next !== null) {
        response.discard();
        found.push(`It redirects to ${shownUrl(next)}.`);
        isOnItsWay &&= isFollowed(response.status, from.url, next);
        const isElsewhere = next.origin !== from.url.origin;
        if (isElsewhere && from.headers.length > 0) {
          found.push("Credentials are not sent to another server.");
        }
        from = { ...from, url: next, headers: isElsewhere ? [] : from.headers };
        continue;
      }
      const { found: more, ...judged } = await judge(response, from, client);
      if (isOnItsWay) return { ...judged, found: [...found, ...more] };
      return {
        outcome: "fails",
        found: [...found, ...more, "The gateway does not follow this redirect."],
        remedy: `Examine and register ${shownUrl(from.url)} itself, if it serves MCP.`,
      };
    }
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    const words = error instanceof DOMException && error.name === "TimeoutError"
      ? `no answer within ${timeoutMs / 1000} s (MCP_SESSION_POOL_TRANSPORT_TIMEOUT)`
      : reasonOf((error as Error).cause ?? error);
    throw new StepFailure(
      [...found, `The request gets no HTTP answer: ${words}.`].join(" "),
      from === target
        ? "Look at the log of the server. A port that speaks TLS needs https://."
        : "Give the address that serves MCP itself. A redirect to a login page wants credentials.",
    );
  } finally {
    client.close();
  }
  throw new StepFailure(
    [...found, "There are too many redirects."].join(" "),
    "Give the address that serves MCP itself.",
  );
}

/** @param method POST: the first message of a client; DELETE: the end of the session in the headers */
async function send(
  client: HttpClient,
  method: "POST" | "DELETE",
  { url, headers, caCertificate }: UpstreamTarget,
  timeoutMs: number,
): Promise<HttpResponse> {
  const initialize = {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: {
      protocolVersion: LATEST_SESSION_REVISION,
      capabilities: {},
      clientInfo: { name: "sluice-doctor", version: VERSION },
    },
  };
  return await client.send({
    method,
    url,
    headers: [
      ["accept", "application/json, text/event-stream"],
      ["user-agent", `sluice/${VERSION}`],
      ...(method === "POST" ? [["content-type", "application/json"] as const] : []),
      ...headers,
    ],
    ...(method === "POST" ? { body: JSON.stringify(initialize) } : {}),
    ...(caCertificate === null ? {} : { caCertificate }),
    upstream: url.host,
    signal: AbortSignal.timeout(timeoutMs),
  });
}

/** @param response not redirected */
async function judge(
  response: HttpResponse,
  target: UpstreamTarget,
  client: HttpClient,
): Promise<StepResult> {
  const { status } = response;
  const type = response.header("content-type") ?? "";
  const isMcp = type.includes("application/json") || type.includes("text/event-stream");
  if (status === 401 || status === 403) {
    const challenge = response.header("www-authenticate");
    await endSession(response, target, client);
    const refusal = status === 401 ? "It wants credentials" : "It refuses the request";
    return {
      outcome: "fails",
      found: [`${refusal}${challenge === null ? "" : `: ${shortened(challenge)}`}.`],
      remedy: remedyForRefusal(challenge, target.headers),
    };
  }
  if (status >= 200 && status < 300 && isMcp) {
    const session = response.header("mcp-session-id");
    await endSession(response, target, client);
    return {
      outcome: "works",
      found: [session === null ? "It opens no session." : "It opens a session (Mcp-Session-Id)."],
    };
  }
  const said = shortened(await beginningOf(response));
  const words = said === "" ? [] : [`It says: ${said}`];
  if (NO_POST.has(status)) {
    return {
      outcome: "attention",
      found: words,
      remedy: "The path is often /mcp or /sse. The next step also tries the older SSE transport.",
    };
  }
  if (type.includes("text/html")) {
    return {
      outcome: "fails",
      found: ["The answer is a web page.", ...words],
      remedy:
        "Give the address that serves MCP, often with the path /mcp. A login page in front of it needs credentials.",
    };
  }
  if (status === 429) {
    const wait = response.header("retry-after");
    return {
      outcome: "fails",
      found: [
        `The server limits requests${wait === null ? "" : ` (Retry-After: ${shortened(wait)})`}.`,
        ...words,
      ],
      remedy: "Try again later, or have the limit raised for the gateway's address and credentials.",
    };
  }
  return {
    outcome: "fails",
    found: words,
    remedy: status >= 500
      ? "Look at the log of the server, or of the proxy in front of it."
      : "Give the address that serves MCP, often with the path /mcp.",
  };
}

/** @param challenge the header WWW-Authenticate; null: none, or it was not seen */
export function remedyForRefusal(challenge: string | null, headers: UpstreamTarget["headers"]): string {
  if (headers.length > 0) {
    return "The given headers do not open it. Check the token, its audience and its scopes.";
  }
  const withToken = 'Try again with --header "Authorization: Bearer TOKEN".';
  // RFC 9728, section 5.1: the server names an authorization server.
  return challenge?.includes("resource_metadata=")
    ? `${withToken} The gateway can also log in itself, by OAuth: sluice help upstreams#oauth.`
    : withToken;
}

/** Leaves no session behind at the server. Its answer does not matter. */
async function endSession(response: HttpResponse, target: UpstreamTarget, client: HttpClient): Promise<void> {
  const session = response.header("mcp-session-id");
  response.discard();
  if (session === null) return;
  const headers = [["mcp-session-id", session] as const, ...target.headers];
  await send(client, "DELETE", { ...target, headers }, END_WITHIN_MS).then(
    (answer) => answer.discard(),
    () => {},
  );
}

/** The first piece of a body, which may never end. */
async function beginningOf(response: HttpResponse): Promise<string> {
  try {
    for await (const piece of response.chunks()) return new TextDecoder().decode(piece);
  } catch {
    // The server has ended the answer early.
  }
  return "";
}

/** The first words, on one line. */
function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
