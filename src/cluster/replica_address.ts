// The address at which the other replicas reach this process.
import type { Config } from "../config/schema.ts";

type AddressSettings = Pick<Config, "replicaAddress" | "host" | "port" | "ssl">;

/** @returns the start of a URL, without a trailing slash */
export function replicaAddress(
  { replicaAddress, host, port, ssl }: AddressSettings,
  interfaces: () => readonly Pick<Deno.NetworkInterfaceInfo, "address" | "family">[] = Deno.networkInterfaces,
): string {
  const name = replicaAddress ?? (isWildcard(host) ? outerAddress(interfaces()) : bracketed(host));
  const hasPort = /:\d+$/.test(name.slice(name.lastIndexOf("]") + 1));
  return `${ssl ? "https" : "http"}://${hasPort ? name : `${name}:${port}`}`;
}

function isWildcard(host: string): boolean {
  return /^(0\.0\.0\.0|\[?::\]?)$/.test(host);
}

/** Prefers IPv4: a link-local IPv6 address is useless without its zone. */
function outerAddress(interfaces: readonly Pick<Deno.NetworkInterfaceInfo, "address" | "family">[]): string {
  const outer = interfaces.filter(({ address }) => !/^(127\.|::1$|fe80:|169\.254\.)/i.test(address));
  const found = outer.find(({ family }) => family === "IPv4") ?? outer[0];
  return found === undefined ? Deno.hostname() : bracketed(found.address);
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
