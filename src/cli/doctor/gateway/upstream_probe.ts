// Asks each registered upstream for an HTTP answer: does it answer now, and how fast? The request has no header with a credential, and
// opens no session.
import { EgressGuard } from "../../../base/egress/egress_guard.ts";
import { isError, reasonOf } from "../../../base/errors.ts";
import type { Config } from "../../../config/schema.ts";
import type { GatewayRow } from "../../../store/registry/rows.ts";
import { Proxies } from "../../../upstream/dial/proxies.ts";
import { createHttp1Client } from "../../../upstream/http_client/configured_client.ts";
import type { HttpClient } from "../../../upstream/http_client/http_client.ts";

/** The time to the head of an answer, or why there is none. */
export type Probed = { readonly ms: number } | { readonly reason: string };

const MAX_HEAD_BYTES = 65_536;
const ANSWER_WITHIN_MS = 5_000;
/** All upstreams together; those that are not asked within this time are left out. */
const ALL_WITHIN_MS = 30_000;
const AT_ONCE = 16;

/** Proxies answer so in place of a server that is gone. */
const GONE: ReadonlySet<number> = new Set([502, 503, 504]);

/** @returns by id; upstreams without an address, and those that refuse such a question in their own way, are left out */
export async function probeUpstreams(
  rows: readonly Pick<GatewayRow, "id" | "name" | "url" | "transport" | "enabled" | "caCertificate">[],
  config: Config,
): Promise<ReadonlyMap<string, Probed>> {
  const guard = new EgressGuard(config);
  const client = createHttp1Client(config, {
    maxHeadBytes: MAX_HEAD_BYTES,
    checkAddress: (hostname, address) => guard.checkAddress(hostname, address),
    proxies: new Proxies(config),
  });
  const probed = new Map<string, Probed>();
  const waiting = rows.filter(({ enabled, transport }) => enabled && transport !== "STDIO");
  const until = performance.now() + ALL_WITHIN_MS;
  const lane = async () => {
    for (let row = waiting.shift(); row !== undefined && performance.now() < until; row = waiting.shift()) {
      const answer = await probe(client, row);
      if (answer !== null) probed.set(row.id, answer);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    return probed;
  } finally {
    client.close();
  }
}

async function probe(
  client: HttpClient,
  { name, url, caCertificate }: Pick<GatewayRow, "name" | "url" | "caCertificate">,
): Promise<Probed | null> {
  const began = performance.now();
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  try {
    const response = await client.send({
      method: "OPTIONS",
      // ws://, wss://
      url: new URL(url.replace(/^ws/, "http")),
      headers: [],
      ...(caCertificate === null ? {} : { caCertificate }),
      upstream: name,
      signal,
    });
    const ms = performance.now() - began;
    response.discard();
    return GONE.has(response.status) ? { reason: `HTTP ${response.status}` } : { ms };
  } catch (error) {
    if (isError(error, "UPSTREAM_CONNECT_FAILED")) return { reason: reasonOf(error) };
    return signal.aborted ? { reason: `no HTTP answer within ${ANSWER_WITHIN_MS / 1000} s` } : null;
  }
}
