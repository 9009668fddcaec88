// The gateway's address, as seen from this machine.
import type { Config } from "../../config/schema.ts";

export function localUrl({ host, port, ssl }: Pick<Config, "host" | "port" | "ssl">): string {
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return `${ssl ? "https" : "http"}://${name}:${port}`;
}
