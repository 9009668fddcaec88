// Masks of values whose name occurs several times: headers of one name, and parameters of a query.
import { MASK } from "../schemas.ts";

interface Valued {
  readonly value: string;
}

/**
 * The stored value that a mask stands for: the order tells those of one name apart.
 * @param at the place of the mask in `wanted`
 * @param wanted all of this name in the request
 * @param stored all of this name
 * @returns null: none is stored, or the order does not tell which one is meant
 */
export function storedAt<Value extends Valued>(
  at: number,
  wanted: readonly Valued[],
  stored: readonly Value[],
): Value | null {
  const isMask = ({ value }: Valued) => value === MASK;
  if (wanted.filter(isMask).length === stored.length) {
    return stored[wanted.slice(0, at).filter(isMask).length]!;
  }
  return wanted.length === stored.length ? stored[at]! : null;
}
