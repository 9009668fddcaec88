// The record by which the other replicas find a replica, as it stands in the store of shared records. It is signed, so that another
// writer to that store cannot direct requests to an address of its own, nor declare a replica gone. It names the time in which it is
// valid, so that such a writer cannot put an earlier record in its place either.
import { isObject } from "../mcp/json_rpc.ts";
import { type ReplicaSignatures, SIGNATURE_WINDOW_MS } from "./request_signature.ts";

export interface ReplicaRecord {
  /** The start of a URL, from replicaAddress(). */
  readonly address: string;
  /** The process's seed, which makes the record this process's own. */
  readonly process: string;
  /** When the period begins in which the record was written, and when the next one ends; ms since the epoch. */
  readonly from: number;
  readonly until: number;
}

/**
 * What a stored text says of a replica. `outdated`: its time is over, or has not come. `gone`: others have declared it gone, and it
 * cannot come back under its number. `foreign`: no replica of this deployment and format has signed the text for this number.
 */
export type ReplicaState =
  | ({ readonly kind: "registered" | "outdated" } & ReplicaRecord)
  | { readonly kind: "gone" }
  | { readonly kind: "foreign" };

/** For the log: who may have written a record that no replica has signed. */
export const FOREIGN_HINT =
  "another program writes to the records of the replicas, or a replica has another AUTH_ENCRYPTION_SECRET or version";

export function replicaKey(number: number): string {
  return `replica:${number}`;
}

/**
 * The time of a record that is written now. All workers of a process write the same text within one period, which is REPLICA_TTL. The
 * record is renewed in each period.
 */
export function periodAt(now: number, ttlMs: number): Pick<ReplicaRecord, "from" | "until"> {
  const from = Math.floor(now / ttlMs) * ttlMs;
  return { from, until: from + 2 * ttlMs };
}

/** The same text for the same record: it is compared with what is stored. */
export function encodeRecord(number: number, record: ReplicaRecord, signatures: ReplicaSignatures): string {
  const { address, process, from, until } = record;
  const signature = signatures.signRecord(number, record);
  return JSON.stringify({ address, process, from, until, signature });
}

/** Stands in place of a record after others have declared the replica gone. */
export function encodeGone(number: number, signatures: ReplicaSignatures): string {
  return JSON.stringify({ gone: true, signature: signatures.signGone(number) });
}

/** @param now ms since the epoch. The clocks of the replicas may differ by the window of their signatures */
export function decodeRecord(
  number: number,
  text: string,
  signatures: ReplicaSignatures,
  now: number,
): ReplicaState {
  if (text === encodeGone(number, signatures)) return { kind: "gone" };
  const { address, process, from, until, signature } = objectIn(text);
  if (
    typeof address !== "string" || typeof process !== "string" || typeof from !== "number" ||
    typeof until !== "number" || typeof signature !== "string"
  ) return { kind: "foreign" };
  const record = { address, process, from, until };
  if (!signatures.hasSignedRecord(signature, number, record)) return { kind: "foreign" };
  const isValid = from - SIGNATURE_WINDOW_MS <= now && now < until + SIGNATURE_WINDOW_MS;
  return { kind: isValid ? "registered" : "outdated", ...record };
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
