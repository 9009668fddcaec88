// The TLS step: the chain of certificates as the server sends it, and whether the gateway trusts it.
import { isIP } from "node:net";
import { connect, type DetailedPeerCertificate } from "node:tls";
import { reasonOf } from "../../../base/errors.ts";
import {
  authoritiesIn,
  isAuthorityAsServer,
  startTls,
  startTlsPinned,
  tlsReason,
} from "../../../upstream/dial/tls.ts";
import { bare } from "../../../base/egress/url_parts.ts";
import type { StepResult, UpstreamTarget } from "./step.ts";

/** The longest chain that is shown. */
const MAX_CHAIN = 8;

/** A certificate that ends within this time is named. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;

/** @param timeoutMs for each of two handshakes: one shows the chain, the other verifies it */
export async function readTls(
  { url, caCertificate }: UpstreamTarget,
  address: string,
  port: number,
  timeoutMs: number,
): Promise<StepResult> {
  const hostname = bare(url.hostname);
  const chain = await peerChain(hostname, address, port, timeoutMs).catch(() => []);
  const found = chain.map((certificate, index) => certificateLine(certificate, index));
  try {
    await shakeHands(hostname, port, caCertificate, timeoutMs);
  } catch (error) {
    const reason = error instanceof DOMException && error.name === "TimeoutError"
      ? `its handshake takes longer than ${timeoutMs / 1000} s (HTTP_CLIENT_CONNECT_TIMEOUT)`
      : tlsReason(reasonOf(error), hostname) ?? reasonOf(error);
    return {
      outcome: "fails",
      found: [...found, `The gateway refuses the server: ${reason}.`],
      remedy: remedyFor(chain, reason),
    };
  }
  const soon = chain.some(({ valid_to }) => Date.parse(valid_to) - Date.now() < SOON_MS);
  return {
    outcome: soon ? "attention" : "works",
    found: [...found, `The chain is trusted and valid for ${hostname}.`],
    ...(soon ? { remedy: "Renew the certificate that ends within 14 days." } : {}),
  };
}

/** As the gateway does: a certificate that is marked as an authority may be the server's own if it is given. */
async function shakeHands(
  hostname: string,
  port: number,
  caCertificate: string | null,
  timeoutMs: number,
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const dial = () => Deno.connect({ hostname, port, signal });
  const options = { hostname, alpnProtocols: [] };
  try {
    (await startTls(await dial(), { ...options, caCertificate: caCertificate ?? undefined }, signal)).close();
  } catch (error) {
    if (caCertificate === null || !isAuthorityAsServer(error)) throw error;
    (await startTlsPinned(await dial(), authoritiesIn(caCertificate), options, signal)).close();
  }
}

function remedyFor(chain: readonly DetailedPeerCertificate[], reason: string): string {
  const last = chain.at(-1);
  if (last === undefined) return "Check that the port speaks TLS: try the URL with http://.";
  if (reason.includes("not valid for")) return "Use a name of the certificate in the URL.";
  if (reason.includes("expired") || reason.includes("not valid yet")) {
    return "Renew the certificate of the server, and compare the clocks of both machines.";
  }
  const isSelfSigned = nameOf(last.subject) === nameOf(last.issuer);
  return isSelfSigned
    ? `Save the authority's certificate as PEM, try again with --ca FILE, and register the upstream with the field ca_certificate.`
    : `Let the server send the certificate of ${nameOf(last.issuer)} as well, or try with --ca FILE.`;
}

function certificateLine(
  { subject, issuer, valid_to, subjectaltname }: DetailedPeerCertificate,
  index: number,
): string {
  const names = index === 0 && subjectaltname ? `, for ${subjectaltname.replaceAll("DNS:", "")}` : "";
  const end = new Date(valid_to);
  const isOver = end.getTime() < Date.now();
  return `${"  ".repeat(index)}${nameOf(subject)}${names}, by ${nameOf(issuer)}, ${
    isOver ? "expired" : "until"
  } ${end.toISOString().slice(0, 10)}.`;
}

function nameOf(
  subject: { readonly CN?: string | string[]; readonly O?: string | string[] } | undefined,
): string {
  return String(subject?.CN ?? subject?.O ?? "a certificate without a name");
}

/** The chain from the server's own certificate on, whether it is trusted or not. */
function peerChain(
  servername: string,
  host: string,
  port: number,
  timeout: number,
): Promise<DetailedPeerCertificate[]> {
  return new Promise((resolve, reject) => {
    const name = isIP(servername) === 0 ? { servername } : {};
    const socket = connect({ host, port, ...name, rejectUnauthorized: false, timeout }, () => {
      const chain: DetailedPeerCertificate[] = [];
      let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
      while (next?.subject !== undefined && chain.length < MAX_CHAIN && !chain.includes(next)) {
        chain.push(next);
        next = next.issuerCertificate;
      }
      socket.destroy();
      resolve(chain);
    });
    socket.on("error", reject);
    socket.on("timeout", () => socket.destroy(new Error("no answer in time")));
  });
}
