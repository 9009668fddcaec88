// The operation of the doctor's findings.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { flag, text, textOrNull, timeOrNull } from "../answers.ts";
import { operations } from "../operation.ts";

const finding = z.strictObject({
  id: text("What was found, for programs.", "machine.open_files"),
  severity: field(
    z.enum(["error", "warning", "note"]),
    "`error`: it does not work, or is open to others. `warning`: it will fail under load. `note`: worth knowing.",
    "warning",
  ),
  found: text("What is there.", "WORKERS is 4, and this machine has 2 processors for them."),
  why: text("Why it matters.", "More workers than processors take turns."),
  fix: text("The line that mends it.", "WORKERS=2"),
  remark: text("Where the line belongs, or what would mend it too.", "in .env").optional(),
  page: text("The page of the manual, with its section.", "sizing#settings-that-follow"),
  upstream: text("The name of the upstream that it is about.", "time").optional(),
}).describe("One finding.");

const replica = z.strictObject({
  address: text("Where the other replicas reach it.", "http://10.0.0.2:4444"),
  is_this: flag("Whether it is the replica that answers."),
  state: field(
    z.enum(["serves", "unreachable", "foreign", "unknown"]),
    "`foreign`: it has other secrets or another version. `unknown`: it could not be asked.",
    "serves",
  ),
  version: textOrNull("Its version; null: it has not said.", "0.1.0"),
  reason: textOrNull("Why it cannot be reached; null: it can, or it is not known.", null),
}).describe("One replica.");

const checkup = z.strictObject({
  examined_at: timeOrNull("When the latest examination ended; null: none has ended."),
  is_under_way: flag("Whether an examination is under way, so that there are newer findings soon."),
  examined: field(z.array(z.string()), "What was looked at.", ["the settings", "this machine"]),
  findings: field(z.array(finding), "The worst first.", []),
  replicas: field(z.array(replica), "The replicas that are registered."),
  machine: field(
    z.strictObject({
      vcpu: field(z.number(), "Processors that the gateway may use.", 2),
      ram_mb: field(z.number(), "Memory that it may fill, MiB.", 4_096),
    }).nullable(),
    "The size of the machine, or of the container; null: not known yet.",
  ),
}).describe("The state of the replica.");

export const doctorOperations = operations("Operation", {
  readCheckup: {
    summary: "Read what the doctor has found",
    description:
      "What `sluice doctor` finds of the replica that answers. It is examined in the background, at most once a " +
      "minute, while somebody asks.",
    answers: { 200: checkup },
  },
  examine: {
    summary: "Let the doctor examine the replica now",
    description:
      "Begins an examination of the replica that answers, unless one is under way. The answer has what was found " +
      "before. `GET /doctor` has the new findings once `is_under_way` is false.",
    answers: { 202: checkup },
  },
});
