// Parses a REDIS_URL.
import { bare } from "../base/egress/url_parts.ts";

/** Address and login of a Redis server. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** null for the server's default user. */
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
}

const DEFAULT_PORT = 6379;

/**
 * Parses `redis://[[user]:password@]host[:port][/number]`, or `rediss://` for TLS. User and password may be percent-encoded.
 * @returns null for any other form: a part that would be ignored is a mistake
 */
export function parseRedisUrl(text: string): RedisTarget | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  const tls = url.protocol === "rediss:";
  if (!tls && url.protocol !== "redis:") return null;
  if (url.hostname === "" || database === undefined || url.search !== "" || url.hash !== "") return null;
  try {
    return {
      host: bare(url.hostname),
      port: url.port === "" ? DEFAULT_PORT : Number(url.port),
      tls,
      username: decodeURIComponent(url.username) || null,
      password: decodeURIComponent(url.password) || null,
      database: Number(database),
    };
  } catch {
    // A "%" that is not part of an encoding.
    return null;
  }
}

/** For error texts and the log: host and port, without secrets. */
export function redisLocation({ host, port }: RedisTarget): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
