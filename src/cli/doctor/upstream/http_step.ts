// The HTTP step: what the server answers to the first message of a client, with every redirect.
import { reasonOf } from "../../../base/errors.ts";
import type { Config } from "../../../config/schema.ts";
import { LATEST_SESSION_REVISION } from "../../../mcp/revisions.ts";
import { VERSION } from "../../../version.ts";
import { shownUrl, StepFailure, type StepResult, type UpstreamTarget } from "./step.ts";

const MAX_REDIRECTS = 5;
/** How much of an answer is looked at. */
const MAX_SHOWN = 120;

/** Statuses with which servers of the older SSE transport refuse a POST. The MCP step tries that transport. */
const NO_POST: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 415, 422, 501]);

export async function readHttp(target: UpstreamTarget, config: Config): Promise<StepResult> {
  const client = Deno.createHttpClient({
    caCerts: target.caCertificate === null ? [] : [target.caCertificate],
  });
  const found: string[] = [];
  let { url, headers } = target;
  try {
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await ask(url, headers, client, config.mcpSessionPoolTransportTimeoutMs);
      const type = response.headers.get("content-type") ?? "no content type";
      const server = response.headers.get("server");
      found.push(
        `POST ${shownUrl(url)} is answered ${response.status} (${type}${
          server === null ? "" : `, by ${server}`
        }).`,
      );
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location !== null) {
        await response.body?.cancel();
        const next = new URL(location, url);
        found.push(`It redirects to ${shownUrl(next)}.`);
        if (next.origin !== url.origin && headers.length > 0) {
          found.push("Credentials are not sent to another server.");
        }
        if (next.origin !== url.origin) headers = [];
        url = next;
        continue;
      }
      const { found: more, ...judged } = await judge(response, headers);
      return { ...judged, found: [...found, ...more] };
    }
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    const words = error instanceof DOMException && error.name === "TimeoutError"
      ? `no answer within ${
        config.mcpSessionPoolTransportTimeoutMs / 1000
      } s (MCP_SESSION_POOL_TRANSPORT_TIMEOUT)`
      : reasonOf((error as Error).cause ?? error);
    throw new StepFailure(
      [...found, `The request gets no HTTP answer: ${words}.`].join(" "),
      "Look at the log of the server. A port that speaks TLS needs https://.",
    );
  } finally {
    client.close();
  }
  throw new StepFailure(
    [...found, "There are too many redirects."].join(" "),
    "Give the address that serves MCP itself.",
  );
}

async function ask(
  url: URL,
  headers: UpstreamTarget["headers"],
  client: Deno.HttpClient,
  timeoutMs: number,
): Promise<Response> {
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
  return await fetch(url, {
    method: "POST",
    redirect: "manual",
    client,
    signal: AbortSignal.timeout(timeoutMs),
    headers: [
      ["content-type", "application/json"],
      ["accept", "application/json, text/event-stream"],
      ["user-agent", `sluice/${VERSION}`],
      ...headers.map(([name, value]) => [name, value] as [string, string]),
    ],
    body: JSON.stringify(initialize),
  });
}

/** @param response not redirected */
async function judge(response: Response, headers: UpstreamTarget["headers"]): Promise<StepResult> {
  const { status } = response;
  const type = response.headers.get("content-type") ?? "";
  const isMcp = type.includes("application/json") || type.includes("text/event-stream");
  if (status === 401 || status === 403) {
    const challenge = response.headers.get("www-authenticate");
    await endSession(response, headers);
    return {
      outcome: "fails",
      found: challenge === null
        ? ["It wants credentials."]
        : [`It wants credentials: ${shortened(challenge)}.`],
      remedy: headers.length === 0
        ? 'Try again with --header "Authorization: Bearer TOKEN".'
        : "The given headers do not open it. Check the token, its audience and its scopes.",
    };
  }
  if (response.ok && isMcp) {
    const session = response.headers.get("mcp-session-id");
    await endSession(response, headers);
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
  return {
    outcome: "fails",
    found: words,
    remedy: status >= 500
      ? "Look at the log of the server, or of the proxy in front of it."
      : "Give the address that serves MCP, often with the path /mcp.",
  };
}

/** Leaves no session behind at the server. Its answer does not matter. */
async function endSession(response: Response, headers: UpstreamTarget["headers"]): Promise<void> {
  const session = response.headers.get("mcp-session-id");
  await response.body?.cancel();
  if (session === null || response.url === "") return;
  await fetch(response.url, {
    method: "DELETE",
    redirect: "manual",
    signal: AbortSignal.timeout(5_000),
    headers: [
      ["mcp-session-id", session],
      ...headers.map(([name, value]) => [name, value] as [string, string]),
    ],
  }).then((answer) => answer.body?.cancel(), () => {});
}

/** The first piece of a body, which may never end. */
async function beginningOf({ body }: Response): Promise<string> {
  const reader = body?.getReader();
  const piece = await reader?.read().catch(() => undefined);
  void reader?.cancel().catch(() => {});
  return new TextDecoder().decode(piece?.value);
}

/** The first words, on one line. */
function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
