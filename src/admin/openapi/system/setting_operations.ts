// The operation of the settings.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { adviceQuery } from "../../rest/queries.ts";
import { count, flag, text, textOrNull } from "../answers.ts";
import { operations } from "../operation.ts";

const layer = z.enum(["default", "dev", ".env beside the database", ".env", "environment", "flag"]);

const setting = z.strictObject({
  name: text("The name of the setting.", "TOOL_TIMEOUT"),
  group: text("Its group in the manual.", "Sessions and tools"),
  key: textOrNull("Its name in the program; null: it has no effect.", "toolTimeoutMs"),
  value: field(z.unknown(), "Its value; durations in milliseconds, secrets masked.", 60_000),
  shown: text("Its value for people, with its unit.", "60 s"),
  default: textOrNull("Its default as it would be written; null: none.", "60"),
  source: field(layer, "Where the value comes from; `dev`: the development default.", "default"),
  given_as: text("The name that was used: its own, an alias, or a flag.", "TOOL_TIMEOUT"),
  file: textOrNull("The file that it comes from; null: no file.", null),
  is_automatic: flag("Whether the gateway chooses the value, because it is `auto`.", false),
  state: field(z.enum(["active", "inert"]), "`inert`: it is accepted, and has no effect.", "active"),
  note: textOrNull("Why it has no effect; null: it has one.", null),
  scope: field(z.enum(["process", "worker", "replica"]), "What a limit counts for.", "process"),
  reloadable: flag("Whether SIGHUP takes a change; otherwise it needs a restart."),
  doc: text("What it does.", "The time for a tool call."),
}).describe("One setting.");

const total = z.strictObject({
  what: text("What is limited.", "requests at once"),
  total: field(z.union([z.int(), z.literal("auto")]), "The limit of the process.", 128),
  from: text("How it comes about.", "WORKERS 2 x BACKPRESSURE 64"),
});

const ignored = z.strictObject({
  name: text("The name.", "PLUGINS_ENABLED"),
  from: field(layer, "Where it is given.", ".env"),
  kind: field(
    z.enum(["protection", "similar", "contextforge", "unknown"]),
    "What it is: a protection that the gateway lacks, a name that resembles a setting, another setting of ContextForge.",
    "contextforge",
  ),
  reason: textOrNull("Why it has no effect; null: it is not known.", "the gateway has no plugins"),
});

const advised = z.strictObject({
  setting: text("The name of the setting.", "MAX_STREAMS"),
  now: text("Its value as it would stand in a file; empty: not set.", "4096"),
  advised: text("The value that serves the users.", "8192"),
  why: text("The formula with its numbers.", "A stream for each user of a worker."),
}).describe("One change.");

export const settingOperations = operations("Operation", {
  adviseSettings: {
    summary: "Read which settings would change for a number of users",
    description:
      "What `sluice tune --users N --check` says of the settings: for the size of this machine, the replicas that " +
      "serve, calls of 200 ms and pauses of 3 s.",
    query: adviceQuery,
    answers: {
      200: z.strictObject({
        users: count("People or agents at once.", 300),
        replicas: count("Replicas that share them.", 1),
        advice: field(z.array(advised), "Settings that do not serve the users.", []),
        shortfalls: field(z.array(z.string()), "Where the machine does not suffice.", []),
      }).nullable().describe("The advice; null: the machine has not been examined yet."),
    },
  },
  listSettings: {
    summary: "Read the settings in effect",
    description: "The settings of the replica that answers. `sluice config` shows those of a folder.",
    answers: {
      200: z.strictObject({
        settings: field(z.array(setting), "All settings, by group."),
        totals: field(z.array(total), "Limits of each worker, multiplied by their number."),
        ignored: field(z.array(ignored), "Names that are given and are no settings of the gateway."),
        warnings: field(z.array(z.string()), "What was given without effect, in sentences.", []),
        needs_restart: field(
          z.array(z.string()),
          "Settings that the last reload found with another value, which a restart would take.",
          [],
        ),
      }).describe("The settings in effect."),
    },
  },
});
