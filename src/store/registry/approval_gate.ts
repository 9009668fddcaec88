// Lets through what is approved of an upstream's lists. The rest is held; of a changed entry the approved version stays.
import {
  type ApprovalRecord,
  approved,
  definitionOf,
  listed,
  listedBySession,
  type ToolApproval,
  unlisted,
} from "../approvals/approval_record.ts";
import { Approvals, forgetApprovals, type HeldLimits, type Holding } from "../approvals/approvals.ts";
import { type Database, sql } from "../sql/sql.ts";
import type { DiscoveredEntry, EntryKind, EntryRow, GatewayRow } from "./rows.ts";
import { type EntryTable, PROMPTS, RESOURCES, TOOLS } from "./tables.ts";

export interface ApprovalRules extends HeldLimits {
  /** For gateways without a mode of their own; TOOL_APPROVAL. */
  readonly mode: ToolApproval;
}

/** The defaults of the settings. */
export const NO_APPROVAL: ApprovalRules = { mode: "off", changes: 1_000, bytes: 4 * 1024 * 1024 };

export function approvalOf(
  { toolApproval }: Pick<GatewayRow, "toolApproval">,
  rules: ApprovalRules,
): ToolApproval {
  return toolApproval ?? rules.mode;
}

/** The gate of one gateway, while its lists are saved. Runs in `tx`. */
export class ApprovalGate {
  /** null: the gateway's changes need no approval. */
  readonly #approvals: Approvals | null;
  readonly #isTrusting: boolean;
  readonly #now: string;

  private constructor(approvals: Approvals | null, isTrusting: boolean, now: Date) {
    this.#approvals = approvals;
    this.#isTrusting = isTrusting;
    this.#now = now.toISOString();
  }

  /** Switching the approval on approves the present lists of the upstream. Switching it off forgets all decisions. */
  static async open(
    tx: Database,
    gateway: GatewayRow,
    rules: ApprovalRules,
    now: Date,
  ): Promise<ApprovalGate> {
    const mode = approvalOf(gateway, rules);
    if (mode === "off") {
      await forgetApprovals(tx, gateway.id);
      return new ApprovalGate(null, false, now);
    }
    const approvals = await Approvals.open(tx, gateway.id, rules);
    const isFirst = gateway.lastRefreshAt === null;
    if (approvals.isEmpty && !isFirst) await approvePresent(tx, gateway, approvals);
    return new ApprovalGate(approvals, approvals.isEmpty && isFirst && mode === "changed", now);
  }

  get holding(): Holding {
    return this.#approvals ?? { held: [], notKept: 0 };
  }

  /** The entries to offer. @param found in the upstream's order; null: the list could not be read */
  admit(kind: EntryKind, found: readonly DiscoveredEntry[] | null): readonly DiscoveredEntry[] | null {
    const approvals = this.#approvals;
    if (found === null || approvals === null) return found;
    const admitted = new Map<string, DiscoveredEntry | null>();
    for (const entry of found) {
      if (!admitted.has(entry.key)) admitted.set(entry.key, this.#admit(approvals, kind, entry));
    }
    for (const record of approvals.of(kind)) {
      if (!admitted.has(record.key)) approvals.put(unlisted(record));
    }
    return found.flatMap(({ key }) => admitted.get(key) ?? []);
  }

  /** Notes entries that only a client's session lists. */
  noteSession(kind: EntryKind, entries: readonly DiscoveredEntry[]): void {
    const approvals = this.#approvals;
    if (approvals === null) return;
    for (const entry of entries) {
      approvals.put(listedBySession(approvals.get(kind, entry.key), definitionOf(entry), this.#now));
    }
  }

  instructions(found: string | null): string | null {
    const approvals = this.#approvals;
    if (approvals === null) return found;
    if (found === null) {
      approvals.put(unlisted(approvals.get("instructions", "")));
      return null;
    }
    const entry = { key: "", text: JSON.stringify(found), sessionText: null };
    const admitted = this.#admit(approvals, "instructions", entry);
    return admitted === null ? null : JSON.parse(admitted.text);
  }

  /** @returns whether anything was written */
  async save(): Promise<boolean> {
    return await this.#approvals?.save() ?? false;
  }

  #admit(
    approvals: Approvals,
    kind: EntryKind | "instructions",
    entry: DiscoveredEntry,
  ): DiscoveredEntry | null {
    const record = listed(approvals.get(kind, entry.key), definitionOf(entry), this.#now);
    approvals.put(this.#isTrusting ? approved(record) : record);
    return offeredOf(approvals.get(kind, entry.key));
  }
}

/** The approved version of an entry; null: there is none. */
export function offeredOf({ key, approved }: ApprovalRecord): DiscoveredEntry | null {
  return approved === null ? null : { key, text: approved.text, sessionText: approved.sessionText };
}

/** Approves what the registry has. */
async function approvePresent(
  tx: Database,
  { id, instructions }: GatewayRow,
  approvals: Approvals,
): Promise<void> {
  const add = (kind: EntryKind | "instructions", key: string, text: string, sessionText: string | null) => {
    const approved = definitionOf({ text, sessionText });
    approvals.put({ ...approvals.get(kind, key), approved, isListed: true });
  };
  for (const entity of [TOOLS, RESOURCES, PROMPTS] as unknown as EntryTable<EntryRow>[]) {
    const records = await tx.query<Record<string, unknown>>(
      sql`SELECT * FROM ${entity.table.id} WHERE gateway_id = ${id} ORDER BY position`,
    );
    for (const row of records.map((record) => entity.table.decode(record))) {
      const { sessionDefinition = null } = row as { sessionDefinition?: string | null };
      add(entity.kindOf(row), entity.keyOf(row), row.definition, sessionDefinition);
    }
  }
  if (instructions !== null) add("instructions", "", JSON.stringify(instructions), null);
}
