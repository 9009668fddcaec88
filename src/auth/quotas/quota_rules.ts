// Which quotas apply to a call. Of each kind the most specific one counts: that of the target, else that of `*`, else the setting's.
import { createHash } from "node:crypto";
import type { QuotaLimits } from "../../config/settings/governance/quota_settings.ts";
import { EACH, QUOTA_KINDS, type QuotaKind, type QuotaRow } from "../../store/quotas/quota_rows.ts";
import type { Principal } from "../principal.ts";
import { callerKey } from "../../base/sharing/caller_identity.ts";

/** A quota that applies to one user, team, token or tool. */
export interface QuotaRule extends QuotaLimits {
  readonly kind: QuotaKind;
  readonly target: string;
  /** Of the counter, but for its window: 128 bits in hex. */
  readonly name: string;
  /** The window that the counter was last looked up for; -1: none yet. */
  window: number;
  key: bigint;
  slot: number;
}

export type QuotaDefaults = Readonly<Record<QuotaKind, QuotaLimits | null>>;

type LimitsByTarget = ReadonlyMap<string, QuotaLimits>;

export class QuotaRules {
  readonly isEmpty: boolean;
  readonly #byKind: Readonly<Record<QuotaKind, LimitsByTarget>>;
  readonly #ofCallers = new WeakMap<Principal, readonly QuotaRule[]>();
  readonly #ofTools = new Map<string, QuotaRule | null>();

  constructor(rows: readonly QuotaRow[], defaults: QuotaDefaults) {
    const limits = (kind: QuotaKind): LimitsByTarget =>
      new Map([
        ...(defaults[kind] === null ? [] : [[EACH, defaults[kind]] as const]),
        ...rows.filter((row) => row.kind === kind).map((row) => [row.target, row] as const),
      ]);
    this.#byKind = {
      user: limits("user"),
      team: limits("team"),
      token: limits("token"),
      tool: limits("tool"),
    };
    this.isEmpty = QUOTA_KINDS.every((kind) => this.#byKind[kind].size === 0);
  }

  /** The quotas of the caller itself. A principal is the same object for every request with its token. */
  ofCaller(principal: Principal): readonly QuotaRule[] {
    let rules = this.#ofCallers.get(principal);
    if (rules === undefined) {
      rules = targetsOf(principal).flatMap(([kind, target]) => this.#ruleOf(kind, target) ?? []);
      this.#ofCallers.set(principal, rules);
    }
    return rules;
  }

  /** @param toolId of a tool in the registry, so that their number bounds what is kept */
  ofTool(toolId: string): QuotaRule | null {
    let rule = this.#ofTools.get(toolId);
    if (rule === undefined) this.#ofTools.set(toolId, rule = this.#ruleOf("tool", toolId));
    return rule;
  }

  #ruleOf(kind: QuotaKind, target: string): QuotaRule | null {
    const limits = this.#byKind[kind].get(target) ?? this.#byKind[kind].get(EACH);
    if (limits === undefined) return null;
    const { calls, seconds, bytes, windowS } = limits;
    const name = createHash("sha256").update(`${kind}\n${target}\n${windowS}`).digest("hex").slice(0, 32);
    return { kind, target, calls, seconds, bytes, windowS, name, window: -1, key: 0n, slot: -1 };
  }
}

/** Callers without a token are one user. A token without `jti` is known by its issuer and subject. */
function targetsOf({ kind, email, subject, issuer, jti, teams }: Principal): [QuotaKind, string][] {
  const user = (email === "" ? subject : email).toLowerCase();
  if (kind === "anonymous") return [["user", user]];
  return [
    ["user", user],
    ["token", jti ?? callerKey({ issuer, subject })],
    ...[...new Set(teams ?? [])].map((team): [QuotaKind, string] => ["team", team]),
  ];
}
