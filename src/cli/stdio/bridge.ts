// `sluice stdio --url`: a bridge from a desktop client on standard input and output to a running gateway, over streamable HTTP. It lives
// as long as its client: what the gateway refuses, and its absence, are errors of single requests.
import { sleep, systemClock } from "../../base/clock.ts";
import { bare } from "../../base/egress/url_parts.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { classify, errorText, type Message, piecesOf, type RequestMessage } from "../../mcp/json_rpc.ts";
import { claimsRevision } from "../../mcp/request_meta.ts";
import { callKey, cancelledKey } from "../../downstream/client/client_messages.ts";
import type { StdioArgs } from "../commands/command_arguments.ts";
import { tokenFor } from "../command_line/gateway_client.ts";
import { stopSignal } from "../command_line/stop_signal.ts";
import { type BridgeLink, failRequests } from "./bridge_link.ts";
import { BridgeSession } from "./bridge_session.ts";
import { Refusal, remedyFor } from "./gateway_fault.ts";
import { GatewayLink } from "./gateway_link.ts";
import { LineWriter, readLines } from "./lines.ts";
import { LISTEN, OpenRequests } from "./open_requests.ts";
import { SessionlessBridge } from "./sessionless_bridge.ts";

/** The gateway has a smaller limit, and reports it to the client. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** The time for the last responses after standard input has ended. */
const LAST_ANSWERS_MS = 30_000;

/** The time for the gateway to end the session. Clients kill a server that has not ended 2 s after SIGTERM. */
const CLOSE_WITHIN_MS = 1_000;

/** @returns the exit code: 1 if the client no longer reads. @throws {SluiceError} USAGE_INVALID */
export async function bridge(
  { server, url, tokenFile }: StdioArgs & { readonly url: string },
): Promise<number> {
  const stopping = stopSignal();
  const address = addressOf(url, server);
  reachDirectly(address.hostname);
  const gateway = new GatewayLink({
    url: address,
    readToken: () => tokenFor(tokenFile),
    clock: systemClock,
  });
  const lost = Promise.withResolvers<string>();
  const writer = new LineWriter(Deno.stdout, (error) => lost.resolve(reasonOf(error)));
  const ending = new AbortController();
  let reported = "";
  const relay = new Relay({
    gateway,
    clock: systemClock,
    deliver: (text) => writer.send(text),
    report: (refusal) => {
      const remedy = remedyFor(refusal, tokenFile !== null ? "file" : gateway.hasToken ? "variable" : "none");
      const sentence = remedy === null ? refusal.message : `${refusal.message}. ${remedy}`;
      if (sentence !== reported) console.error(`sluice: ${sentence}`);
      reported = sentence;
    },
    ending: ending.signal,
  });
  const read = async () => {
    for await (const line of readLines(Deno.stdin.readable, MAX_LINE_BYTES)) {
      if (line instanceof SluiceError) console.error(`sluice: a line of standard input: ${line.message}`);
      else await relay.take(line);
    }
    // A client that pipes its requests in still gets the responses.
    await Promise.race([relay.answered(), sleep(systemClock, LAST_ANSWERS_MS)]);
    return null;
  };
  const fault = await Promise.race([stopping.then(() => null), read(), lost.promise]);
  ending.abort();
  await relay.close();
  await writer.flush();
  if (fault === null) return 0;
  console.error(`sluice: ${fault}`);
  return 1;
}

/** Passes the messages of the client on, each in its own way. */
export class Relay {
  readonly #link: BridgeLink;
  readonly #session: BridgeSession;
  readonly #sessionless: SessionlessBridge;
  readonly #open = new OpenRequests();
  /** What ends a request, by `callKey` of its id. */
  readonly #calls = new Map<string, AbortController>();

  constructor(link: BridgeLink) {
    const deliver = (text: string) => {
      this.#open.heard(text);
      link.deliver(text);
    };
    this.#link = { ...link, deliver };
    this.#session = new BridgeSession(this.#link);
    this.#sessionless = new SessionlessBridge(this.#link);
  }

  /** Takes a line of the client. Resolves when the next one may follow: requests run side by side, all else keeps its order. */
  async take(text: string): Promise<void> {
    const messages = messagesIn(text);
    const requests = messages.filter((message) => message.kind === "request");
    this.#open.said(text);
    const [first] = requests;
    try {
      if (first === undefined) return await this.#tell(text, messages);
      if (first.method === "initialize") {
        return await this.#during(first, (signal) => this.#session.open(first, signal));
      }
    } catch (error) {
      if (this.#link.ending.aborted) return;
      failRequests(this.#link, requests, error);
      // A text that is no message has no id. The gateway says what is wrong with it.
      if (messages.length === 0 && error instanceof Refusal) {
        this.#link.deliver(errorText("null", error.errorText));
      }
      return;
    }
    void this.#during(first, (signal) => this.#ask(text, requests, signal));
  }

  /** Resolves when every request has its response. */
  answered(): Promise<void> {
    return this.#open.none();
  }

  async close(): Promise<void> {
    for (const call of this.#calls.values()) call.abort();
    await this.#session.close(AbortSignal.timeout(CLOSE_WITHIN_MS));
  }

  #ask(text: string, requests: readonly RequestMessage[], signal: AbortSignal): Promise<void> {
    const [first] = requests;
    if (!claimsRevision(first!.params)) {
      return this.#session.ask(text, requests, { signal, isOpen: ({ id }) => this.#open.has(id) });
    }
    return first!.method === LISTEN
      ? this.#sessionless.listen(first!, signal)
      : this.#sessionless.ask(first!, signal);
  }

  async #tell(text: string, messages: readonly Message[]): Promise<void> {
    const cancelled = messages.map(cancelledKey).find((key) => key !== null);
    // The end of its connection cancels a request of 2026-07-28, and one whose response has not begun.
    if (cancelled !== undefined) this.#calls.get(cancelled!)?.abort();
    await this.#session.tell(text, messages);
  }

  async #during({ id }: RequestMessage, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const key = callKey(id);
    const call = new AbortController();
    this.#calls.set(key, call);
    try {
      await run(call.signal);
    } finally {
      if (this.#calls.get(key) === call) this.#calls.delete(key);
    }
  }
}

/** The messages of a line; none where it cannot be read. */
function messagesIn(text: string): Message[] {
  try {
    return piecesOf(JSON.parse(text), text).map(([value, own]) => classify(value, own));
  } catch {
    return [];
  }
}

function addressOf(url: string, server: string | null): URL {
  const address = new URL(url);
  const base = address.pathname.replace(/\/$/, "");
  address.pathname = server === null ? `${base}/mcp` : `${base}/servers/${encodeURIComponent(server)}/mcp`;
  return address;
}

/** `fetch` would send requests to this machine's own addresses to the proxy of the environment, which cannot reach them. */
function reachDirectly(hostname: string): void {
  if (!/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) return;
  Deno.env.set(
    "NO_PROXY",
    [Deno.env.get("NO_PROXY") ?? Deno.env.get("no_proxy"), bare(hostname)].filter(Boolean).join(","),
  );
}
