// The operations of held changes.
import { heldDecisions } from "../../rest/held_schemas.ts";
import { EXAMPLE_ID, success } from "../answers.ts";
import { operations } from "../operation.ts";
import { heldChange } from "./held_answers.ts";

const ID = { id: "The id, name or slug of the gateway." };

const DECISION = {
  path: ID,
  body: {
    schema: heldDecisions,
    example: {
      changes: [{
        id: EXAMPLE_ID,
        hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      }],
    },
  },
  answers: { 200: success },
  errors: ["CONFLICT"],
} as const;

export const approvalOperations = operations("Gateways", {
  listHeldChanges: {
    summary: "List held changes of all gateways",
    description: "The changes of the gateways whose changes the caller may approve, the oldest first.",
    answers: { 200: heldChange.array() },
  },
  listHeldOfGateway: {
    summary: "List held changes of a gateway",
    description:
      "What the upstream has added or changed, and nobody has approved yet. Rejected versions stay in the list until the upstream " +
      "changes or withdraws them.",
    path: ID,
    answers: { 200: heldChange.array() },
    errors: ["CONFLICT"],
  },
  approveHeld: {
    summary: "Approve held changes",
    description:
      "The gateway offers the held versions from now on. If the upstream has changed one of them since it was listed, the answer is " +
      "409, and nothing is approved.",
    ...DECISION,
  },
  rejectHeld: {
    summary: "Reject held changes",
    description: "The held versions stay withheld. The next version of the entry waits for a decision again.",
    ...DECISION,
  },
});
