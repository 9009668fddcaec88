// Reads REDIS_URL.

/** What REDIS_URL says. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** null: the server's default user. */
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
}

const DEFAULT_PORT = 6379;

/**
 * `redis://[[user]:password@]host[:port][/number]`, `rediss://` for TLS; user and password percent-encoded where they
 * must be. @returns null for anything else: a part that would be left aside is a mistake.
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
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? DEFAULT_PORT : Number(url.port),
      tls,
      username: decodeURIComponent(url.username) || null,
      password: decodeURIComponent(url.password) || null,
      database: Number(database),
    };
  } catch {
    // A "%" that encodes nothing.
    return null;
  }
}

/** For error texts and logs: host and port, never a secret. */
export function redisLocation({ host, port }: RedisTarget): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
