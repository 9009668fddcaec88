// A number for each principal, as a part of keys.
import type { Principal } from "../../auth/principal.ts";

const numbers = new WeakMap<Principal, number>();
let nextNumber = 0;

/**
 * The principal of a token is the same object as long as the token and the records of its owner say the same, and no other token has
 * it.
 */
export function numberOf(principal: Principal): number {
  let number = numbers.get(principal);
  if (number === undefined) numbers.set(principal, number = nextNumber++);
  return number;
}
