// /quotas: what users, teams, tokens and tools may use in a window.
import { SluiceError } from "../../base/errors.ts";
import { EACH, type QuotaRow } from "../../store/quotas/quota_rows.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { fault, refuse, validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { quotaCreate, quotaUpdate } from "../rest/people_schemas.ts";

const CREATE: KnownFields = { schema: quotaCreate };
const UPDATE: KnownFields = { schema: quotaUpdate };

export async function listQuotas({ deps }: Call): Promise<AdminResponse> {
  return ok((await deps.store.quotas.list()).map(shape));
}

export async function getQuota(call: Call): Promise<AdminResponse> {
  return ok(shape(await namedQuota(call)));
}

export async function createQuota(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const raw = readFields(call, await call.body(), ["body"], CREATE);
  const { kind, target, window: windowS, ...given } = validated(quotaCreate, raw, ["body"]);
  const limits = { calls: given.calls ?? null, seconds: given.seconds ?? null, bytes: given.bytes ?? null };
  requireLimit(limits);
  const row = await deps.store.quotas.insert({
    ...{ kind, ...limits, windowS },
    target: await targetOf(call, kind, target),
    createdBy: principal.email,
  });
  await deps.catalogChanged();
  return ok(shape(row), 201);
}

export async function updateQuota(call: Call): Promise<AdminResponse> {
  const { deps, params } = call;
  const row = await namedQuota(call);
  const raw = readFields(call, await call.body(), ["body"], UPDATE);
  const { window: windowS, ...limits } = validated(quotaUpdate, raw, ["body"]);
  requireLimit({
    calls: limits.calls === undefined ? row.calls : limits.calls,
    seconds: limits.seconds === undefined ? row.seconds : limits.seconds,
    bytes: limits.bytes === undefined ? row.bytes : limits.bytes,
  });
  const changed = await deps.store.quotas.update(params.id, { ...limits, windowS });
  await deps.catalogChanged();
  return ok(shape(changed));
}

export async function deleteQuota(call: Call): Promise<AdminResponse> {
  const { id } = await namedQuota(call);
  await call.deps.store.quotas.delete(id);
  await call.deps.catalogChanged();
  return ok(null, 204);
}

/** A user by the email address in lower case, a tool by its id. The other targets need not be known here. */
async function targetOf({ deps }: Call, kind: QuotaRow["kind"], target: string): Promise<string> {
  if (target === EACH) return EACH;
  if (kind === "user") return target.toLowerCase();
  if (kind !== "tool") return target;
  const { tools } = deps.store;
  const tool = await tools.get(target) ?? (await tools.list()).find(({ name }) => name === target);
  if (tool === undefined) refuse([fault(["body", "target"], "must be the id or name of a tool, or *")]);
  return tool!.id;
}

function requireLimit({ calls, seconds, bytes }: Pick<QuotaRow, "calls" | "seconds" | "bytes">): void {
  if (calls !== null || seconds !== null || bytes !== null) return;
  refuse([fault(["body"], "one of calls, seconds and bytes must be a number; delete the quota to end it")]);
}

/** @throws {SluiceError} NOT_FOUND */
async function namedQuota({ deps, params }: Call): Promise<QuotaRow> {
  const row = await deps.store.quotas.get(params.id);
  if (row === null) throw new SluiceError("NOT_FOUND", { what: `Quota ${params.id}` });
  return row;
}

function shape(row: QuotaRow) {
  return {
    id: row.id,
    kind: row.kind,
    target: row.target,
    calls: row.calls,
    seconds: row.seconds,
    bytes: row.bytes,
    window: row.windowS,
    created_by: row.createdBy,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  };
}
