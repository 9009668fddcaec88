// The parts of a URL that decide how its server is reached: TLS, port and host.

/** Does the connection use TLS? */
export function isTls({ protocol }: Pick<URL, "protocol">): boolean {
  return protocol === "https:" || protocol === "wss:";
}

export function portOf(url: Pick<URL, "protocol" | "port">): number {
  return url.port === "" ? (isTls(url) ? 443 : 80) : Number(url.port);
}

/** The host of a URL; an IPv6 address without its brackets. */
export function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
