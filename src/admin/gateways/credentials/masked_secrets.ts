// Masks in requests. A client that sends back what it has read sends a mask in place of each secret.
import { type Fault, fault } from "../../rest/faults.ts";
import { MASK } from "../../rest/schemas.ts";

/** The fault of a mask that stands for nothing. */
export const NONE_STORED = "the mask stands for a stored secret, and none is stored: send the secret itself";

/** The secret that a mask stands for. */
export interface StoredSecret {
  /** null: none is stored. */
  readonly value: string | null;
  /** The former owner of the secret, such as "access key", if the request names another; null: the request names the same. */
  readonly former?: string | null;
}

/**
 * The secret of a field.
 * @param faults further ones are added
 * @returns null: the request has none
 */
export function unmasked(
  given: string | null | undefined,
  { value, former = null }: StoredSecret,
  loc: Fault["loc"],
  faults: Fault[],
): string | null {
  if (given !== MASK) return given ?? null;
  if (value === null) faults.push(fault(loc, NONE_STORED));
  else if (former !== null) {
    faults.push(fault(loc, `send the secret too: the stored one is for the former ${former}`));
  }
  return value;
}
