// Room `configurations`: what exports and imports of a configuration take and answer. The names are ContextForge's.
import * as z from "zod";
import { field } from "../rest/described.ts";
import { flag } from "../rest/queries.ts";
import { commaSeparated } from "../rest/values.ts";

/** Strategies for an imported item whose name or id another item has here. */
export const STRATEGIES = ["skip", "update", "rename", "fail"] as const;

export type Strategy = typeof STRATEGIES[number];

export function isStrategy(word: string): word is Strategy {
  return (STRATEGIES as readonly string[]).includes(word);
}

const ids = z.array(z.string().max(2_048)).max(10_000).optional();

/** Entities of one kind by id, name or URI. */
const selections = {
  tools: field(ids, "Tools by id or name."),
  gateways: field(ids, "Gateways by id or name."),
  servers: field(ids, "Virtual servers by id or name.", ["Travel"]),
  prompts: field(ids, "Prompts by id or name."),
  resources: field(ids, "Resources and templates by id, name or URI."),
};

export const exportQuery = z.object({
  types: field(
    commaSeparated.optional(),
    "Only these kinds: `tools`, `gateways`, `servers`, `prompts`, `resources`.",
  ),
  exclude_types: field(commaSeparated.optional(), "Without these kinds."),
  tags: field(commaSeparated.optional(), "Only entities with one of these tags."),
  include_inactive: flag(false, "Also what is switched off."),
  include_dependencies: flag(
    true,
    "Also what the chosen entities cannot be without: members of servers, and gateways.",
  ),
});

export const selectiveQuery = z.object({ include_dependencies: exportQuery.shape.include_dependencies });

export const selectiveBody = z.object({
  ...selections,
  passphrase: field(
    z.string().min(12).max(1_024).optional(),
    "Seals the credentials of gateways in the file, and the values in the query of their addresses. Without it they are left out. Administrators only.",
  ),
}).describe("What to export. A passphrase without any selection exports everything.");

export const importRequest = z.object({
  import_data: field(
    z.looseObject({
      version: field(z.string().min(1), "The version of the file."),
      exported_at: field(z.string(), "When it was made."),
      entities: field(
        z.record(z.string(), z.array(z.looseObject({})).max(100_000)),
        "Lists of entities: `tools`, `gateways`, `servers`, `prompts`, `resources`, `roots`.",
      ),
    }),
    "The file of an export.",
    { version: "2025-11-25", exported_at: "2026-01-01T00:00:00Z", entities: { gateways: [] } },
  ),
  conflict_strategy: field(
    z.enum(STRATEGIES).default("update"),
    "What becomes of an entity whose name or id is here with other values.",
  ),
  dry_run: field(z.boolean().default(false), "Say what would be done, and do nothing."),
  rekey_secret: field(
    z.string().max(1_024).nullable().optional(),
    "The secret that opens the credentials in the file: its passphrase, or the AUTH_ENCRYPTION_SECRET of its ContextForge.",
  ),
  selected_entities: field(z.object(selections).nullable().optional(), "Only these entities of the file."),
});

export const cleanupQuery = z.object({
  max_age_hours: field(
    z.coerce.number().min(0).max(24 * 365).default(24),
    "Statuses of imports that ended longer ago are forgotten.",
  ),
});

export const cleanupAnswer = z.strictObject({
  status: field(z.string(), "`success`."),
  message: field(z.string(), "How many were forgotten, as a sentence."),
  removed_count: field(z.int(), "How many were forgotten."),
});

export const exportAnswer = z.looseObject({
  version: field(z.string(), "The revision of MCP."),
  exported_at: field(z.string(), "When the file was made."),
  exported_by: field(z.string(), "Who made it."),
  source_gateway: field(z.string(), "What made it."),
  encryption_method: field(
    z.string(),
    "How credentials are sealed: `AES-256-GCM`, or `none`, if there are none in it.",
  ),
  entities: field(z.record(z.string(), z.array(z.looseObject({}))), "Lists of entities by kind."),
  metadata: field(z.looseObject({}), "Counts, dependencies and options."),
}).describe("A configuration, in ContextForge's shape.");

export const importAnswer = z.strictObject({
  import_id: field(z.string(), "The id of the import."),
  status: field(z.string(), "`completed`."),
  progress: field(
    z.strictObject({
      total: field(z.int(), "Entities of the file."),
      processed: field(z.int(), "All of them."),
      created: field(z.int(), "New here."),
      updated: field(z.int(), "Changed."),
      skipped: field(z.int(), "As they are here already, or kept by the strategy."),
      failed: field(z.int(), "Left out."),
    }),
    "How many entities came to what.",
  ),
  errors: field(z.array(z.string()), "What was left out, and why."),
  warnings: field(z.array(z.string()), "What was skipped, or is otherwise here."),
  started_at: field(z.string(), "When the import began."),
  completed_at: field(z.string().nullable(), "When it ended."),
}).describe("The status of an import.");
