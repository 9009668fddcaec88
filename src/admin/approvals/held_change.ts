// A held change as the REST API shows it, and as the pages and the command line read it.
import type { Difference } from "./definition_diff.ts";

/** The names and texts are shown without hidden characters, so they cannot be sent back. The hash stands for the version. */
export interface HeldChange {
  readonly id: string;
  readonly gatewayId: string;
  readonly gatewayName: string;
  readonly kind: string;
  readonly name: string;
  readonly change: "new" | "changed";
  readonly state: "pending" | "rejected";
  /** ISO 8601; null: not known. */
  readonly heldAt: string | null;
  readonly isListed: boolean;
  readonly hash: string;
  /** null: no version was approved. */
  readonly approvedHash: string | null;
  readonly differences: readonly Difference[];
}
