// The record by which the other replicas find a replica, as it stands in the store of shared records. It is signed, so that another
// writer to that store cannot direct requests, and the tokens in them, to an address of its own.
import { isObject } from "../mcp/json_rpc.ts";
import type { ReplicaSignatures } from "./request_signature.ts";

/** Stands in place of a record after others have declared the replica gone: it cannot come back under that number. */
export const GONE = '"gone"';

export interface ReplicaRecord {
  /** The start of a URL, from replicaAddress(). */
  readonly address: string;
  /** The process's seed, which makes the record this process's own. */
  readonly process: string;
}

export function replicaKey(number: number): string {
  return `replica:${number}`;
}

/** The same text for the same record: it is compared with what is stored. */
export function encodeRecord(number: number, record: ReplicaRecord, signatures: ReplicaSignatures): string {
  const { address, process } = record;
  return JSON.stringify({ address, process, signature: signatures.signRecord(number, address, process) });
}

/** @returns the address; null for a record that no replica of this deployment and format has signed for this number */
export function addressIn(number: number, text: string, signatures: ReplicaSignatures): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  const { address, process, signature } = value;
  const isSigned = typeof address === "string" && typeof process === "string" &&
    typeof signature === "string" && signatures.hasSignedRecord(signature, number, address, process);
  return isSigned ? address : null;
}
