// The record by which the other replicas find a replica, as it stands in the store of shared records. It is signed, so that another
// writer to that store cannot direct requests to an address of its own, nor declare a replica gone.
import { isObject } from "../mcp/json_rpc.ts";
import type { ReplicaSignatures } from "./request_signature.ts";

export interface ReplicaRecord {
  /** The start of a URL, from replicaAddress(). */
  readonly address: string;
  /** The process's seed, which makes the record this process's own. */
  readonly process: string;
}

/**
 * What a stored text says of a replica. `gone`: others have declared it gone, and it cannot come back under its number. `foreign`: no
 * replica of this deployment and format has signed the text for this number.
 */
export type ReplicaState =
  | { readonly kind: "registered"; readonly address: string }
  | { readonly kind: "gone" }
  | { readonly kind: "foreign" };

/** For the log: who may have written a record that no replica has signed. */
export const FOREIGN_HINT =
  "another program writes to the records of the replicas, or a replica has another AUTH_ENCRYPTION_SECRET or version";

export function replicaKey(number: number): string {
  return `replica:${number}`;
}

/** The same text for the same record: it is compared with what is stored. */
export function encodeRecord(number: number, record: ReplicaRecord, signatures: ReplicaSignatures): string {
  const { address, process } = record;
  return JSON.stringify({ address, process, signature: signatures.signRecord(number, address, process) });
}

/** Stands in place of a record after others have declared the replica gone. */
export function encodeGone(number: number, signatures: ReplicaSignatures): string {
  return JSON.stringify({ gone: true, signature: signatures.signGone(number) });
}

export function decodeRecord(number: number, text: string, signatures: ReplicaSignatures): ReplicaState {
  if (text === encodeGone(number, signatures)) return { kind: "gone" };
  const { address, process, signature } = objectIn(text);
  const isSigned = typeof address === "string" && typeof process === "string" &&
    typeof signature === "string" && signatures.hasSignedRecord(signature, number, address, process);
  return isSigned ? { kind: "registered", address } : { kind: "foreign" };
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
