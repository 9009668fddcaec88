// Reads the place of an upstream from a request: a URL with a scheme of the transport, or a command to start.
import { isTls } from "../../base/egress/url_parts.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { launchUrl, readLaunch } from "../../upstream/stdio/launch.ts";
import { type Fault, fault } from "../rest/faults.ts";
import type { GatewayInput } from "../rest/schemas.ts";
import { unmaskedUrl } from "../rest/shown_url.ts";

export type Place = Pick<GatewayRow, "transport" | "url">;

const LAUNCH_FIELDS = ["command", "args", "env", "cwd"] as const;

/** Fields about HTTP requests, which a process does not receive. */
const REQUEST_FIELDS = ["passthrough_headers", "ca_certificate"] as const;

/**
 * @param kept the place of the gateway before the request; null for a new gateway
 * @returns the place, which is valid only if there are no faults
 */
export function requestedPlace(input: GatewayInput, kept: Place | null): { place: Place; faults: Fault[] } {
  const transport = input.transport ?? kept?.transport ?? "STREAMABLEHTTP";
  if (kept !== null && (kept.transport === "STDIO") !== (transport === "STDIO")) {
    const reason = `a gateway cannot change between STDIO and another transport; register a new gateway`;
    return { place: kept, faults: [fault(["body", "transport"], reason)] };
  }
  return transport === "STDIO" ? requestedLaunch(input, kept) : requestedUrl(input, transport, kept);
}

function requestedLaunch(input: GatewayInput, kept: Place | null): { place: Place; faults: Fault[] } {
  const faults: Fault[] = given(input, REQUEST_FIELDS).map((field) =>
    fault(["body", field], 'has no effect with transport "STDIO"')
  );
  // A client may send back the URL that it read.
  if (input.url !== undefined && input.url !== kept?.url) {
    faults.push(
      fault(["body", "url"], 'has no effect with transport "STDIO"; use command, args, cwd and env'),
    );
  }
  const old = kept === null ? null : readLaunch(kept.url);
  const command = input.command ?? old?.command;
  if (command === undefined) {
    faults.push(fault(["body", "command"], 'Field required with transport "STDIO"', "missing"));
  }
  const { args = old?.args ?? [], cwd = old?.cwd ?? null } = input;
  return { place: { transport: "STDIO", url: launchUrl({ command: command ?? "", args, cwd }) }, faults };
}

function requestedUrl(
  input: GatewayInput,
  transport: Place["transport"],
  kept: Place | null,
): { place: Place; faults: Fault[] } {
  const faults: Fault[] = given(input, LAUNCH_FIELDS).map((field) =>
    fault(["body", field], 'is only used with transport "STDIO"')
  );
  // The stored values of a query are for the server that they were given for.
  const stored = input.url !== undefined && kept !== null && isSameServer(input.url, kept.url)
    ? kept.url
    : null;
  const url = input.url === undefined ? kept?.url : unmaskedUrl(input.url, stored);
  if (url === null) {
    const reason =
      "a mask in the query stands for no stored value, or does not say for which one: send the value itself";
    return { place: { transport, url: "" }, faults: [...faults, fault(["body", "url"], reason)] };
  }
  if (url === undefined) {
    return {
      place: { transport, url: "" },
      faults: [...faults, fault(["body", "url"], "Field required", "missing")],
    };
  }
  const { href, protocol } = new URL(url);
  const wanted = transport === "WEBSOCKET" ? ["ws:", "wss:"] : ["http:", "https:"];
  if (!wanted.includes(protocol)) {
    const schemes = wanted.map((scheme) => scheme.slice(0, -1)).join(" or ");
    faults.push(fault(["body", "url"], `must be an ${schemes} URL with transport "${transport}"`));
  }
  return { place: { transport, url: href }, faults };
}

/** A warning that `ca_certificate` verifies nothing without TLS. With OAuth it may be that of the authorization server. */
export function idleAuthority(
  caCertificate: string | null | undefined,
  { url, authType }: Pick<GatewayRow, "url" | "authType">,
): Fault[] {
  const address = new URL(url);
  if (!caCertificate || authType === "oauth" || isTls(address)) return [];
  const reason = `has no effect without TLS, and the address begins with ${address.protocol}//`;
  return [fault(["body", "ca_certificate"], reason, "no_effect")];
}

/** Have both URLs one origin? A program is the same only with the same arguments. */
export function isSameServer(one: string, other: string): boolean {
  const [{ origin }, { origin: otherOrigin }] = [new URL(one), new URL(other)];
  return origin === "null" ? one === other : origin === otherOrigin;
}

function given<Field extends keyof GatewayInput>(input: GatewayInput, fields: readonly Field[]): Field[] {
  return fields.filter((field) => input[field] !== undefined && input[field] !== null);
}
