// Room `imports`: registers the servers of a client's configuration file, for the REST API and for `serve --mcp-config`.
// This file decides what becomes of each entry, and does it: several at once, each whole or not at all.
import { requireChange, requireRestPermission } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import { isError, toSluiceError } from "../../base/errors.ts";
import { operatorText } from "../../base/seen_answer.ts";
import { slugify } from "../../catalog/snapshot/tool_name.ts";
import {
  expandEntry,
  type FaultyEntry,
  isFaulty,
  type ServerEntry,
} from "../../client_config/server_entries.ts";
import { fileOfSource } from "../../client_config/entry_source.ts";
import { type LookUp, referencesIn } from "../../client_config/variables.ts";
import type { ToolApproval } from "../../store/approvals/approval_record.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { isInstaller } from "../../upstream/stdio/launch.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { shownCredentials, written } from "../gateways/gateway_credentials.ts";
import { draftGateway, type GatewayDraft } from "../gateways/gateway_draft.ts";
import { plainFields } from "../gateways/plain_fields.ts";
import { refuseTaken, register, replace } from "../gateways/store_gateway.ts";

/** The step that an entry waits for: its program is installed, it answers for the first time, its lists come. */
export type ImportPhase = "installing" | "starting" | "listing";

/** taken: it is new here. left_out: it was not tried. failed: it was tried, and is not registered. */
export type ImportOutcome = "taken" | "changed" | "unchanged" | "left_out" | "failed";

export interface ImportResult {
  readonly name: string;
  readonly outcome: ImportOutcome;
  /** The gateway of this name; null: there is none. */
  readonly gatewayId: string | null;
  /** Is the gateway switched off? */
  readonly isDisabled: boolean;
  /** The entry's tools; null if it has not been listed. */
  readonly toolCount: number | null;
  /** Why the entry was left out or failed. */
  readonly reason: string | null;
  /** Names of the variables that have no value. */
  readonly missing: readonly string[];
  /** Fields of the entry that have no effect here. */
  readonly unread: readonly string[];
  /** Parts of the entry that were taken otherwise than written. */
  readonly warnings: readonly string[];
}

export interface ImportOptions {
  /** The mark of the gateways that this import makes, and may change: `import:FILE`. */
  readonly source: string;
  /** Try each server before it is registered. */
  readonly wait: boolean;
  /** Say what would be done, and do nothing. */
  readonly isDryRun: boolean;
  readonly lookUp: LookUp;
  /** Of the gateways that this import makes; absent: as TOOL_APPROVAL says. */
  readonly toolApproval?: ToolApproval | null;
  readonly onPhase?: (name: string, phase: ImportPhase) => void;
  readonly onResult?: (result: ImportResult) => void;
  /** When aborted, no further entry is begun. */
  readonly signal?: AbortSignal;
}

/** Servers that are tried at the same time. Each may install a package, which takes a core and much memory. */
const MAX_AT_ONCE = 4;

/** @returns what became of each entry, in the order of the file. @throws {SluiceError} STORE_UNAVAILABLE */
export async function importServers(
  deps: AdminDeps,
  principal: Principal,
  entries: readonly (ServerEntry | FaultyEntry)[],
  options: ImportOptions,
): Promise<ImportResult[]> {
  const results: ImportResult[] = [];
  const names = new Map<string, string>();
  const waiting = [...entries.entries()].values();
  const lane = async () => {
    for (const [index, entry] of waiting) {
      if (options.signal?.aborted) return;
      const result = await importEntry(deps, principal, entry, names, options);
      results[index] = result;
      options.onResult?.(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_AT_ONCE, entries.length) }, lane));
  return results;
}

/** Deletes the gateways of `source` whose entries are gone. @returns their names */
export async function removeAbsent(
  deps: AdminDeps,
  source: string,
  entries: readonly { readonly name: string }[],
): Promise<string[]> {
  const kept = new Set(entries.map(({ name }) => slugify(name)));
  const gone = (await deps.store.gateways.list()).filter((row) =>
    row.source === source && !kept.has(row.slug)
  );
  for (const { id } of gone) await deps.store.gateways.delete(id);
  if (gone.length > 0) await deps.catalogChanged();
  return gone.map(({ name }) => name);
}

async function importEntry(
  deps: AdminDeps,
  principal: Principal,
  written: ServerEntry | FaultyEntry,
  names: Map<string, string>,
  options: ImportOptions,
): Promise<ImportResult> {
  const slug = slugify(written.name);
  const twin = names.get(slug);
  if (twin === undefined) names.set(slug, written.name);
  const nothing: ImportResult = {
    ...{
      name: written.name,
      outcome: "left_out",
      gatewayId: null,
      isDisabled: false,
      toolCount: null,
      reason: null,
    },
    ...{ missing: [], unread: isFaulty(written) ? [] : written.unread, warnings: [] },
  };
  const leftOut = (reason: string, more: Partial<ImportResult> = {}) => ({ ...nothing, ...more, reason });
  if (isFaulty(written)) return leftOut(written.fault);
  if (twin !== undefined) {
    return leftOut(`its name and "${twin}" are the same here (names are compared as "${slug}")`);
  }
  const { entry, missing } = expandEntry(written, options.lookUp);
  if (missing.length > 0) {
    const all = missing.map(({ name }) => name);
    const noun = all.length === 1 ? "the variable" : "the variables";
    return leftOut(`${noun} ${all.join(", ")} ${all.length === 1 ? "has" : "have"} no value`, {
      missing: all,
    });
  }
  try {
    const { fields, warnings } = plainFields(bodyOf(entry));
    const ignored = warnings.map(({ loc, msg }) => `${loc.at(-1)} ${msg}`);
    const drafted = await draftGateway(deps, principal, { ...fields, tool_approval: options.toolApproval });
    const draft = { ...drafted, row: { ...drafted.row, source: options.source, enabled: !entry.isDisabled } };
    // Another request or replica may have registered the same meanwhile: then it is there, and unchanged.
    const done = await apply(deps, principal, draft, options).catch((error) => {
      if (!isError(error, "CONFLICT")) throw error;
      return apply(deps, principal, draft, options);
    });
    return { ...nothing, ...done, isDisabled: entry.isDisabled, warnings: [...ignored, ...exposed(written)] };
  } catch (error) {
    const failure = toSluiceError(error);
    if (failure.row.source === "internal" && failure.code !== "SECRET_UNREADABLE") throw error;
    const reason = failure.code === "VALIDATION_FAILED"
      ? failure.message.replaceAll("body.", "")
      : operatorText(failure);
    return { ...nothing, outcome: failure.row.source === "upstream" ? "failed" : "left_out", reason };
  }
}

/** Inputs of users are mostly secrets, and arguments are not kept as such. */
function exposed({ args }: ServerEntry): string[] {
  const names = new Set(
    args.flatMap(referencesIn).filter(({ kind }) => kind === "input").map(({ name }) => name),
  );
  return [...names].map((name) =>
    `the value of ${name} is an argument, so administrators and \`ps\` show it`
  );
}

/** The entry as the body of a registration. */
function bodyOf(
  { name, transport, command, args, env, cwd, url, headers }: ServerEntry,
): Record<string, unknown> {
  const place = command === null ? { url, headers } : { command, args, env, cwd };
  return { name, ...place, ...(transport === null ? {} : { transport }) };
}

async function apply(
  deps: AdminDeps,
  principal: Principal,
  draft: GatewayDraft,
  options: ImportOptions,
): Promise<Pick<ImportResult, "outcome" | "gatewayId" | "toolCount" | "reason">> {
  const { isDryRun, source, wait } = options;
  const { row } = draft;
  const before = (await deps.store.gateways.list()).find(({ slug }) => slug === row.slug) ?? null;
  const toolCount = async (id: string) => (await deps.store.countDiscovered()).get(id)?.tools ?? 0;
  if (before !== null && await isSame(deps, before, draft)) {
    const reason = before.registration !== null && before.enabled ? before.lastError : null;
    return { outcome: "unchanged", gatewayId: before.id, toolCount: await toolCount(before.id), reason };
  }
  if (before !== null && before.source !== source) {
    return { outcome: "left_out", gatewayId: before.id, toolCount: null, reason: takenBy(before) };
  }
  const outcome = before === null ? "taken" : "changed";
  if (before !== null) {
    requireRestPermission(principal, "gateways.update", null);
    requireChange(principal, "gateways.update", before);
  }
  if (isDryRun) {
    await deps.checkEgress(new URL(row.url));
    await refuseTaken(deps, deps.store, { ...draft, row: { ...row, id: before?.id ?? row.id } });
    return { outcome, gatewayId: before?.id ?? null, toolCount: null, reason: null };
  }
  const say = (phase: ImportPhase) => options.onPhase?.(row.name, phase);
  const isTried = wait && row.enabled;
  if (isTried) say(isInstaller(row.url) ? "installing" : "starting");
  const how = { wait, onListing: () => say("listing") };
  if (before === null) await register(deps, draft, how);
  else await replace(deps, before, draft, how);
  const id = before?.id ?? row.id;
  return { outcome, gatewayId: id, toolCount: isTried ? await toolCount(id) : null, reason: null };
}

/** Is the gateway what the entry describes? */
async function isSame(deps: AdminDeps, before: GatewayRow, draft: GatewayDraft): Promise<boolean> {
  const { row, credentials, isTransportOpen } = draft;
  const isSameTransport = row.transport === before.transport ||
    (isTransportOpen && before.transport === "SSE");
  return row.url === before.url && isSameTransport && row.enabled === before.enabled &&
    written(await shownCredentials(deps, before)) === written(credentials) &&
    (before.authSecret === null) === (credentials === null);
}

function takenBy({ name, source }: GatewayRow): string {
  const file = fileOfSource(source);
  const from = file === null
    ? "was registered otherwise"
    : `comes from ${file === "" ? "another import" : file}`;
  return `another server named "${name}" ${from}; rename the entry, or delete that gateway`;
}
