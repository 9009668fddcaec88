// Room `approvals`: what operators have approved of the entries of an upstream, and the changes that wait for a decision.
// This file is the state of one entry, and its transitions.
import { createHash } from "node:crypto";
import { canonicalText, withoutRepeatedMembers } from "./canonical_json.ts";
import type { ListKind } from "../../mcp/list_entries.ts";

/**
 * Which changes of an upstream wait for an approval. off: none. changed: additions and changes after its first lists.
 * all: its first lists too.
 */
export type ToolApproval = "off" | "changed" | "all";

export const TOOL_APPROVALS = ["off", "changed", "all"] as const satisfies readonly ToolApproval[];

/** Everything that an upstream tells models about itself: the entries of its lists, and its instructions. */
export type ApprovedKind = ListKind | "instructions";

/** One version of an entry. */
export interface Definition {
  /** The upstream's object as JSON text; of instructions, a JSON string. */
  readonly text: string;
  /** The same for clients of the revisions with sessions; null: the same text. */
  readonly sessionText: string | null;
  /** SHA-256 of the canonical JSON, in hex. */
  readonly hash: string;
}

export interface ApprovalRecord {
  readonly id: string;
  readonly kind: ApprovedKind;
  /** The upstream's name, or the URI; "" for instructions. */
  readonly key: string;
  /** The version that is offered; null: none was ever approved. */
  readonly approved: Definition | null;
  /** The version that waits for a decision, or was rejected; null: none. */
  readonly held: Definition | null;
  /** Since when; ISO 8601. null if nothing is held. */
  readonly heldAt: string | null;
  /** The version that was rejected last. */
  readonly rejectedHash: string | null;
  /** Did the upstream's last lists have the entry? If not, it is gone, or only sessions of clients list it. */
  readonly isListed: boolean;
}

/** @param text JSON. One without repeated members is kept as it is written. */
export function definitionOf({ text, sessionText }: Omit<Definition, "hash">): Definition {
  const canonical = canonicalText(JSON.parse(text));
  const hash = createHash("sha256").update(canonical).digest("hex");
  const sound = withoutRepeatedMembers(text);
  return {
    text: sound,
    sessionText: sessionText === null ? null : withoutRepeatedMembers(sessionText),
    hash,
  };
}

/** Is the held version one that was rejected? */
export function isRejected({ held, rejectedHash }: ApprovalRecord): boolean {
  return held !== null && held.hash === rejectedHash;
}

/** The upstream lists the entry like this. */
export function listed(record: ApprovalRecord, found: Definition, now: string): ApprovalRecord {
  if (record.approved?.hash === found.hash) {
    // The same text may read differently to clients of other revisions than before.
    const approved = record.approved.text === found.text ? found : record.approved;
    return { ...record, approved, held: null, heldAt: null, isListed: true };
  }
  if (record.held?.hash === found.hash) return { ...record, isListed: true };
  return { ...record, held: found, heldAt: now, isListed: true };
}

/** The upstream lists the entry no more. What was approved stays approved. */
export function unlisted(record: ApprovalRecord): ApprovalRecord {
  return record.isListed ? { ...record, held: null, heldAt: null, isListed: false } : record;
}

/**
 * A client's own session lists the entry like this. Sessions may list different versions at once, so that a version which waits for
 * a decision is not replaced.
 */
export function listedBySession(record: ApprovalRecord, found: Definition, now: string): ApprovalRecord {
  const isKnown = [record.approved?.hash, record.held?.hash].includes(found.hash);
  if (record.isListed || isKnown || (record.held !== null && !isRejected(record))) return record;
  return { ...record, held: found, heldAt: now };
}

/** The held version is offered from now on. */
export function approved(record: ApprovalRecord): ApprovalRecord {
  return {
    ...record,
    approved: record.held ?? record.approved,
    held: null,
    heldAt: null,
    rejectedHash: null,
  };
}

/** The held version is not offered. The next one waits for a decision again. */
export function rejected(record: ApprovalRecord): ApprovalRecord {
  return { ...record, rejectedHash: record.held?.hash ?? record.rejectedHash };
}

/** Does the record say nothing that is worth keeping? */
export function isEmpty({ approved, held, rejectedHash }: ApprovalRecord): boolean {
  return approved === null && held === null && rejectedHash === null;
}
