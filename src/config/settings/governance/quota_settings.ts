// Settings of quotas: the defaults for users, teams, tokens and tools that have no quota of their own.
import { int, type Kind, kind, setting } from "../setting.ts";

/** What may be used in one window; null: no limit. */
export interface QuotaLimits {
  /** Requests to upstreams. */
  readonly calls: number | null;
  /** Seconds between a request to an upstream and its answer. */
  readonly seconds: number | null;
  /** Bytes of the parameters and of the answer. */
  readonly bytes: number | null;
  /** The length of a window in seconds. Windows begin at multiples of it since 1970-01-01 UTC. */
  readonly windowS: number;
}

/** The longest window: 31 days. */
export const MAX_QUOTA_WINDOW_S = 31 * 86_400;

/** The largest limit: sums above it are not exact. */
export const MAX_QUOTA = 1_000_000_000_000;

const PARTS = ["calls", "seconds", "bytes", "window"] as const;

function quota(): Kind<QuotaLimits, null> {
  return kind(
    null,
    "limits and a window in seconds, for example calls=1000,seconds=600,bytes=50000000,window=3600",
    (given) => {
      const limits: Record<typeof PARTS[number], number | null> = {
        calls: null,
        seconds: null,
        bytes: null,
        window: null,
      };
      for (const part of given.split(/[\s,]+/)) {
        const [, name, digits] = /^(\w+)=(\d{1,13})$/.exec(part) ?? [];
        const known = PARTS.find((each) => each === name);
        if (known === undefined || limits[known] !== null) return undefined;
        const most = known === "window" ? MAX_QUOTA_WINDOW_S : MAX_QUOTA;
        if (Number(digits) > most) return undefined;
        limits[known] = Number(digits);
      }
      const { calls, seconds, bytes, window } = limits;
      const hasLimit = calls !== null || seconds !== null || bytes !== null;
      return hasLimit && window !== null && window > 0
        ? { calls, seconds, bytes, windowS: window }
        : undefined;
    },
  );
}

function defaultQuota<const Name extends string>(name: Name, of: string) {
  return setting({
    name,
    kind: quota(),
    default: null,
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: `The quota of each ${of} without a quota at \`/quotas\`, for example ` +
      "`calls=1000,seconds=600,bytes=50000000,window=3600`. At least one limit and the window in seconds are needed. " +
      "Not set: no quota.",
  });
}

export const QUOTA_SETTINGS = [
  defaultQuota("QUOTA_USER", "user"),
  defaultQuota("QUOTA_TEAM", "team"),
  defaultQuota("QUOTA_TOKEN", "token"),
  defaultQuota("QUOTA_TOOL", "tool"),
  setting({
    name: "QUOTA_MAX_COUNTERS",
    kind: int({ min: 1_000, max: 10_000_000 }),
    default: "65536",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Counters that the workers of a process share, of 40 bytes each. Each user, team, token and tool with a quota has " +
      "one in its window. Above this number, the counter whose window ends first starts from zero.",
  }),
] as const;
