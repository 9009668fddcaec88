// /import/status and POST /import/cleanup: what imports came to. The newest can be read for a day, at every worker and replica.
import type { z } from "zod";
import { SluiceError } from "../../base/errors.ts";
import { cleanupQuery, type importAnswer } from "./transfer_schemas.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";

type Status = z.infer<typeof importAnswer>;
type Reports = Pick<AdminDeps, "importReports">;

const STATUS_TTL_MS = 24 * 60 * 60 * 1000;
/** Older statuses give way, so that many imports leave no more than some megabytes. */
const MAX_STATUSES = 50;

const PREFIX = "import:";
const HOUR_MS = 60 * 60 * 1000;

export async function keepStatus({ importReports }: Reports, status: Status): Promise<void> {
  await importReports.sweep();
  await importReports.put(PREFIX + status.import_id, JSON.stringify(status), STATUS_TTL_MS);
  for (const { import_id: id } of (await statuses({ importReports })).slice(MAX_STATUSES)) {
    await importReports.delete(PREFIX + id);
  }
}

export async function getImportStatus({ deps, params: { id } }: Call): Promise<AdminResponse> {
  const record = /^[0-9a-f]{32}$/.test(id!) ? await deps.importReports.get(PREFIX + id) : null;
  if (record === null) throw new SluiceError("NOT_FOUND", { what: `Import ${id}` });
  return ok(JSON.parse(record));
}

export async function listImportStatuses({ deps }: Call): Promise<AdminResponse> {
  return ok(await statuses(deps));
}

export async function cleanUpImports({ deps, query }: Call): Promise<AdminResponse> {
  const { max_age_hours: hours } = validated(cleanupQuery, Object.fromEntries(query), ["query"]);
  const before = deps.now().getTime() - hours * HOUR_MS;
  const old = (await statuses(deps)).filter(({ completed_at: at }) =>
    at !== null && Date.parse(at) <= before
  );
  let removed = 0;
  for (const { import_id: id } of old) {
    if (await deps.importReports.delete(PREFIX + id)) removed++;
  }
  return ok({
    status: "success",
    message: `Cleaned up ${removed} completed import statuses`,
    removed_count: removed,
  });
}

/** The newest first. */
async function statuses({ importReports }: Reports): Promise<Status[]> {
  const records = await importReports.list(PREFIX);
  return records.map(({ value }): Status => JSON.parse(value))
    .sort((a, b) => a.started_at < b.started_at ? 1 : -1);
}
