// `sluice doctor --upstream URL`: how one MCP server is reached and what it answers, step by step. Each step ends the examination if it
// fails.
import { bare, isTls, portOf } from "../../../base/egress/url_parts.ts";
import { EgressGuard, resolveHost } from "../../../base/egress/egress_guard.ts";
import { isError, reasonOf, SluiceError } from "../../../base/errors.ts";
import type { Config } from "../../../config/schema.ts";
import { Proxies } from "../../../upstream/dial/proxies.ts";
import { isWebSocketUrl } from "../../commands/flag_values.ts";
import { readHttp, remedyForRefusal } from "./http_step.ts";
import { readMcp } from "./mcp_step.ts";
import {
  type Registration,
  shownUrl,
  type Step,
  StepFailure,
  type StepResult,
  type UpstreamReport,
  type UpstreamTarget,
} from "./step.ts";
import { readTls } from "./tls_step.ts";

export async function examineUpstream(target: UpstreamTarget, config: Config): Promise<UpstreamReport> {
  const { url } = target;
  const steps: Step[] = [];
  let registration: Registration | null = null;
  const step = async (name: Step["name"], run: () => Promise<StepResult> | StepResult): Promise<boolean> => {
    const began = performance.now();
    const result = await Promise.resolve().then(run).catch((error): StepResult => failure(error, target));
    steps.push({ name, ms: performance.now() - began, ...result });
    return result.outcome !== "fails";
  };
  const guard = new EgressGuard(config);
  const proxy = new Proxies(config).for({
    tls: isTls(url),
    hostname: url.hostname,
    port: portOf(url),
  });
  let addresses: readonly string[] = [];
  const isReached = proxy !== null
    ? await step("settings", () => ({
      outcome: "left out",
      found: [`${proxy.setting} names a proxy for this address: the proxy opens the connection.`],
    }))
    : await step("DNS", async () => {
      addresses = await resolved(url);
      const host = bare(url.hostname);
      const isAddress = addresses.length === 1 && addresses[0] === host;
      const found = isAddress
        ? `${host} is an address: no name is looked up.`
        : `${host} is ${addresses.join(", ")}.`;
      return { outcome: "works", found: [found] };
    }) && await step("settings", () => {
      for (const address of addresses) checkAllowed(guard, bare(url.hostname), address, config);
      return { outcome: "works", found: ["The gateway may connect to these addresses."] };
    }) && await step("TCP", () => connected(addresses, portOf(url), config.httpClientConnectTimeoutMs)) &&
      (!isTls(url) ||
        await step(
          "TLS",
          () => readTls(target, addresses[0], portOf(url), config.httpClientConnectTimeoutMs),
        ));
  const hasHttpStep = proxy === null && !isWebSocketUrl(url.href);
  if (isReached && (!hasHttpStep || await step("HTTP", () => readHttp(target, config)))) {
    await step("MCP", async () => {
      const { result, registration: found } = await readMcp(target, config);
      registration = found;
      return result;
    });
  }
  return { url: shownUrl(url), steps, registration };
}

async function resolved(url: URL): Promise<readonly string[]> {
  const host = bare(url.hostname);
  try {
    const addresses = await resolveHost(host);
    if (addresses.length > 0) return addresses;
  } catch {
    // The resolver's words differ by system; the remedy is the same.
  }
  throw new StepFailure(
    `${host} has no address.`,
    "Correct the name. In a container, use the name of the service, not localhost. See /etc/hosts and /etc/resolv.conf.",
  );
}

/** @throws {StepFailure | SluiceError} with the line of .env that allows the address, if one setting does */
function checkAllowed(
  guard: EgressGuard,
  host: string,
  address: string,
  { ssrfAllowedNetworks }: Pick<Config, "ssrfAllowedNetworks">,
): void {
  try {
    guard.checkAddress(host, address);
  } catch (error) {
    const [, setting] = /\((SSRF_ALLOW_[A-Z_]+)=true\b.* would allow it\)/.exec(reasonOf(error)) ?? [];
    if (setting === undefined) throw error;
    const network = `${address}/${address.includes(":") ? 128 : 32}`;
    const line = setting === "SSRF_ALLOW_LOCALHOST"
      ? `${setting}=true`
      : `SSRF_ALLOWED_NETWORKS=${[...ssrfAllowedNetworks, network].join(",")}`;
    throw new StepFailure(
      `EGRESS_DENIED: ${reasonOf(error)}`,
      `${line} in .env of the gateway, if this server is meant: sluice help network#which-upstream-addresses-are-allowed`,
    );
  }
}

async function connected(addresses: readonly string[], port: number, timeoutMs: number): Promise<StepResult> {
  const lines: string[] = [];
  let isOpen = false;
  for (const hostname of addresses) {
    const began = performance.now();
    try {
      const connection = await Deno.connect({ hostname, port, signal: AbortSignal.timeout(timeoutMs) });
      connection.close();
      isOpen = true;
      lines.push(
        `${hostname} port ${port} takes connections (${(performance.now() - began).toFixed(1)} ms).`,
      );
    } catch (error) {
      lines.push(`${hostname} port ${port}: ${connectWords(error, timeoutMs)}.`);
    }
  }
  if (lines.length === addresses.length && isOpen) {
    const isWhole = lines.every((line) => line.includes("takes connections"));
    return { outcome: isWhole ? "works" : "attention", found: lines };
  }
  return {
    outcome: "fails",
    found: lines,
    remedy:
      "Start the server, and check its port and the firewall. A server that listens on 127.0.0.1 takes no connection of other machines.",
  };
}

function connectWords(error: unknown, timeoutMs: number): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "nothing listens there (connection refused)";
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return `no answer within ${timeoutMs / 1000} s`;
  }
  return reasonOf(error).replace(/ \(os error \d+\)/, "");
}

function failure(error: unknown, { url, headers }: UpstreamTarget): StepResult {
  if (error instanceof StepFailure) return { outcome: "fails", found: [error.message], remedy: error.remedy };
  if (isError(error, "UPSTREAM_AUTH_FAILED")) {
    const found = [`${error.code}: ${error.message}`];
    return { outcome: "fails", found, remedy: remedyForRefusal(null, headers) };
  }
  if (isError(error, "UPSTREAM_HTTP_ERROR") && isWebSocketUrl(url.href)) {
    return {
      outcome: "fails",
      found: [`${error.code}: ${error.message}`],
      remedy: "Give the address that serves MCP over WebSocket. The path is often /ws.",
    };
  }
  if (error instanceof SluiceError) {
    const page = `sluice help errors#${error.code.toLowerCase()}`;
    return { outcome: "fails", found: [`${error.code}: ${error.message}`], remedy: page };
  }
  return { outcome: "fails", found: [`${reasonOf(error)}.`] };
}
