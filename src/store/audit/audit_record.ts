// Room `audit`: the audit trail, a chain of records in the database. This file has the shape of a record and its hash.
import { hash } from "node:crypto";
import { redact } from "../../telemetry/log.ts";

/** `done`: the request was carried out. `refused`: the caller may not do it. `failed`: anything else went wrong. */
export type AuditOutcome = "done" | "refused" | "failed";

export interface AuditEntity {
  /** For example `gateway`. */
  readonly kind: string;
  readonly id: string;
  /** The name by which a client has called a tool. */
  readonly name?: string;
}

/** What a request asks for. The router makes it, and fills in `entity` and `fields` when it has read the body. */
export interface AuditAction {
  /** The operation id of the OpenAPI document. */
  readonly operation: string;
  readonly permission: string | null;
  /** Is the request more than a read? */
  readonly isWrite: boolean;
  entity: AuditEntity | null;
  /** The names of the body's fields. Their values are never recorded. */
  fields: readonly string[];
}

export interface AuditActor {
  readonly subject: string;
  readonly email: string;
  /** The token's `jti`. */
  readonly tokenId: string | null;
}

/** A field before and after; null: the entity did not have it. */
export interface AuditChange {
  readonly before: unknown;
  readonly after: unknown;
}

export interface AuditRecord {
  /** ISO 8601, UTC, by the clock of the replica. */
  readonly at: string;
  readonly outcome: AuditOutcome;
  /** The HTTP status. */
  readonly status: number;
  /** The code of the error table; null: no error. */
  readonly code: string | null;
  /** null: the request was refused before its operation was known. */
  readonly operation: string | null;
  readonly method: string;
  /** The name of the endpoint, as in the metric sluice_http_answers_total. */
  readonly endpoint: string;
  readonly permission: string | null;
  readonly entity: AuditEntity | null;
  /** null: no valid token. */
  readonly actor: AuditActor | null;
  /** The client's address; for IPv6 its /64 network. */
  readonly address: string;
  readonly correlationId: string;
  /** How many refusals and failures in a row were alike but for their correlation id and entity. */
  readonly count: number;
  readonly fields: readonly string[];
  readonly changes: Readonly<Record<string, AuditChange>>;
}

/** Records that were lost: their number, and the times of the first and the last. */
export interface Lost {
  readonly from: string;
  readonly until: string;
  readonly count: number;
}

/** The operation of a record that stands for lost ones. */
export const GAP = "auditGap";

export function gapRecord({ from, until, count }: Lost): AuditRecord {
  return {
    at: until,
    ...{ outcome: "failed", status: 500, code: null, operation: GAP, method: "", endpoint: "none" },
    ...{ permission: null, entity: null, actor: null, address: "", correlationId: crypto.randomUUID() },
    count,
    fields: [],
    changes: { time: { before: from, after: until } },
  };
}

/** What somebody did who needs no token: by a command, or by a file of the machine. */
export function operatorRecord(
  endpoint: "command line" | "configuration file",
  operation: string,
  entity: AuditEntity | null,
  changes: AuditRecord["changes"] = {},
): AuditRecord {
  return {
    at: new Date().toISOString(),
    ...{ outcome: "done", status: 200, code: null, operation, method: "", endpoint },
    ...{ permission: null, entity, actor: null, address: "", correlationId: crypto.randomUUID() },
    ...{ count: 1, fields: [], changes },
  };
}

/** A record in its place in the chain. */
export interface ChainedRecord {
  readonly sequence: number;
  /** In hex. */
  readonly hash: string;
  /** The record as JSON, as it was hashed. */
  readonly text: string;
}

/** The JSON of a record in an export. The text of the record is as it was hashed. */
export function exportText({ sequence, hash, text }: ChainedRecord): string {
  return `{"sequence":${sequence},"hash":"${hash}","record":${text}}`;
}

/** The hash before the first record. */
export const FIRST_HASH = "0".repeat(64);

/** SHA-256, in hex, of the number, the hash of the record before, and the record's text, each in a line of its own. */
export function chainHash(sequence: number, previous: string, text: string): string {
  return hash("sha256", `${sequence}\n${previous}\n${text}`, "hex");
}

const MAX_TEXT_CHARS = 256;
const MAX_FIELDS = 50;
const MAX_VALUE_CHARS = 500;

/** Limits a text that a client has chosen. */
export function boundedText(text: string): string {
  return text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
}

export function boundedNames(names: readonly string[]): string[] {
  return names.slice(0, MAX_FIELDS).map(boundedText);
}

/** Fields that every write changes. */
const VOLATILE = new Set(["updatedAt", "updated_at", "modifiedBy", "version", "metrics"]);

/**
 * The fields that differ, at most 50. Values under names that mean a secret are masked, and a value of more than 500 characters becomes
 * the start of its JSON text.
 * @param before the entity as the REST API shows it; null: there was none
 */
export function changesBetween(before: unknown, after: unknown): Record<string, AuditChange> {
  // Names may be ids that a client has chosen, "constructor" among them, so members of prototypes are not read.
  const [old, now] = [before, after].map((shown) => new Map(Object.entries(redact(fieldsOf(shown)))));
  const changed = [...new Set([...old.keys(), ...now.keys()])].filter((name) =>
    !VOLATILE.has(name) && JSON.stringify(old.get(name) ?? null) !== JSON.stringify(now.get(name) ?? null)
  );
  return Object.fromEntries(
    changed.slice(0, MAX_FIELDS).map((name) => [
      name,
      { before: bounded(old.get(name)), after: bounded(now.get(name)) },
    ]),
  );
}

function fieldsOf(shown: unknown): Record<string, unknown> {
  return typeof shown === "object" && shown !== null ? shown as Record<string, unknown> : {};
}

function bounded(value: unknown): unknown {
  if (value === undefined) return null;
  const json = JSON.stringify(value);
  return json.length > MAX_VALUE_CHARS ? `${json.slice(0, MAX_VALUE_CHARS)}…` : value;
}
