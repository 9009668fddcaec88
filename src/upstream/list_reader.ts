// Reads the lists of an upstream page by page. Each page is judged as it arrives, and only the texts of sound entries stay in
// memory. A list that fails does not take the others along.
import { SluiceError } from "../base/errors.ts";
import { operatorText } from "../base/seen_answer.ts";
import { eachElement, isObject, memberText } from "../mcp/json_rpc.ts";
import { isRefused, judgeEntry, type ListKind } from "../mcp/list_entries.ts";
import { STATELESS_REVISION } from "../mcp/revisions.ts";
import type { DiscoveredEntry, Discovery, ListWarning, SkippedEntry } from "../store/registry/rows.ts";
import { isOurDoing } from "./resilience/failures.ts";
import type { ListName } from "./session/list_filter.ts";
import type { SessionCall, UpstreamChannel } from "./session/upstream_channel.ts";

export interface ListLimits {
  /** Entries of each list; MAX_UPSTREAM_LIST_ENTRIES. */
  readonly maxEntries: number;
  /** Characters of all pages of an upstream together; MAX_UPSTREAM_LIST_BYTES. */
  readonly maxBytes: number;
}

export type Lists = Pick<
  Discovery,
  "tools" | "resources" | "resourceTemplates" | "prompts" | "skipped" | "warnings" | "listTtlMs"
>;

interface List {
  readonly kind: ListKind;
  readonly capability: ListName;
  readonly method: string;
  /** The member of the result that holds the array. */
  readonly key: "tools" | "resources" | "resourceTemplates" | "prompts";
}

const LISTS: readonly List[] = [
  { kind: "tool", capability: "tools", method: "tools/list", key: "tools" },
  { kind: "resource", capability: "resources", method: "resources/list", key: "resources" },
  {
    kind: "template",
    capability: "resources",
    method: "resources/templates/list",
    key: "resourceTemplates",
  },
  { kind: "prompt", capability: "prompts", method: "prompts/list", key: "prompts" },
];

/** Bounds the reading of a list whose cursors never end. */
const MAX_PAGES = 1_000;

/** The lists of one upstream together may take as long as this number of requests. */
const MAX_TIMEOUTS = 10;

/** Time limit of a request after another list has timed out. A hanging upstream must not take the time of four lists. */
const IMPATIENT_MS = 5_000;

/** Limits of what is kept of the faults of one upstream. */
const MAX_FAULTS = 100;
const MAX_NAME_LENGTH = 200;
const MAX_REASON_LENGTH = 500;

const METHOD_NOT_FOUND = -32601;

/**
 * Reads every list that the capabilities promise.
 * @throws {SluiceError} UPSTREAM_LIST_TOO_LARGE; the failure of the first list if all lists failed
 */
export async function readLists(
  session: UpstreamChannel,
  capabilities: Readonly<Record<string, unknown>>,
  { upstream, call, limits }: {
    readonly upstream: string;
    readonly call: SessionCall;
    readonly limits: ListLimits;
  },
): Promise<Lists> {
  const reader = new ListReader(session, upstream, call, limits);
  const found: Record<List["key"], DiscoveredEntry[] | null> = {
    tools: [],
    resources: [],
    resourceTemplates: [],
    prompts: [],
  };
  const promised = LISTS.filter(({ capability }) => capability in capabilities);
  if (promised.length === 0) return await readUndeclared(reader, found);
  const failures: unknown[] = [];
  for (const list of promised) {
    try {
      found[list.key] = await reader.read(list);
    } catch (error) {
      if (!isOfTheList(error)) throw error;
      failures.push(error);
      found[list.key] = null;
      reader.listFailed(list, error);
    }
  }
  if (failures.length > 0 && failures.length === promised.length) throw failures[0];
  return { ...found, skipped: reader.skipped, warnings: reader.warnings, listTtlMs: reader.listTtlMs };
}

/**
 * Reads what one capability promises: for resources their templates too.
 * @throws {SluiceError} UPSTREAM_*
 */
export async function readListsOf(
  name: ListName,
  session: UpstreamChannel,
  { upstream, call, limits }: {
    readonly upstream: string;
    readonly call: SessionCall;
    readonly limits: ListLimits;
  },
): Promise<ReadonlyMap<ListKind, DiscoveredEntry[]>> {
  const reader = new ListReader(session, upstream, call, limits);
  const found = new Map<ListKind, DiscoveredEntry[]>();
  for (const list of LISTS) {
    if (list.capability === name) found.set(list.kind, await reader.read(list));
  }
  return found;
}

/** Asks an upstream for its lists that declares none. Some servers declare `{}` and have tools. */
async function readUndeclared(
  reader: ListReader,
  found: Record<List["key"], DiscoveredEntry[] | null>,
): Promise<Lists> {
  reader.hurry();
  for (const list of LISTS) {
    try {
      const entries = found[list.key] = await reader.read(list);
      if (entries.length > 0) reader.isUndeclared(list);
    } catch (error) {
      if (!isOfTheList(error)) throw error;
      // The upstream has not promised the list.
      found[list.key] = null;
    }
  }
  return { ...found, skipped: reader.skipped, warnings: reader.warnings, listTtlMs: reader.listTtlMs };
}

/** Failures of our own and lost sessions say nothing about the list. */
function isOfTheList(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.row.source === "upstream" && !isOurDoing(error) &&
    error.code !== "UPSTREAM_SESSION_EXPIRED" && error.code !== "UPSTREAM_LIST_TOO_LARGE";
}

class ListReader {
  readonly skipped: SkippedEntry[] = [];
  readonly warnings: ListWarning[] = [];
  listTtlMs: number | null = null;
  #characters = 0;
  #timeoutMs: number;
  readonly #endsAt: number;

  constructor(
    private readonly session: UpstreamChannel,
    private readonly upstream: string,
    private readonly call: SessionCall,
    private readonly limits: ListLimits,
  ) {
    this.#timeoutMs = call.timeoutMs;
    this.#endsAt = Date.now() + MAX_TIMEOUTS * call.timeoutMs;
  }

  async read(list: List): Promise<DiscoveredEntry[]> {
    const broken = (reason: string) =>
      new SluiceError("UPSTREAM_PROTOCOL_ERROR", {
        upstream: this.upstream,
        reason: `${list.method}: ${reason}`,
      });
    const entries: DiscoveredEntry[] = [];
    const seen = new Set<string>();
    let cursor: string | undefined;
    let count = 0;
    for (let page = 0; page < MAX_PAGES; page++) {
      const text = await this.#page(list, cursor);
      if (text === null && page === 0) return [];
      this.#characters += text?.length ?? 0;
      const array = text?.startsWith("{") ? memberText(text, list.key) : undefined;
      if (text === null || array?.startsWith("[") !== true) {
        throw broken(`the result has no "${list.key}" array`);
      }
      if (this.#characters > this.limits.maxBytes) {
        throw this.#tooLarge(list, `${this.limits.maxBytes} bytes`, "MAX_UPSTREAM_LIST_BYTES");
      }
      this.#noteTtl(memberText(text, "ttlMs"));
      for (const element of eachElement(array)) {
        if (++count > this.limits.maxEntries) {
          throw this.#tooLarge(list, `${this.limits.maxEntries} entries`, "MAX_UPSTREAM_LIST_ENTRIES");
        }
        const entry = this.#judge(list, element, count);
        if (entry !== null) entries.push(entry);
      }
      const next: unknown = JSON.parse(memberText(text, "nextCursor") ?? "null");
      // In older revisions "" means no further page. In 2026-07-28 "" is a valid cursor (pagination).
      const isStateless = this.session.protocolVersion === STATELESS_REVISION;
      if (next === null || (next === "" && !isStateless)) return entries;
      if (typeof next !== "string") throw broken('"nextCursor" is not a string');
      cursor = next;
      if (seen.has(cursor)) throw broken("the same cursor came twice");
      seen.add(cursor);
      if (Date.now() > this.#endsAt) {
        throw broken(`the lists take longer than ${MAX_TIMEOUTS} times ${this.call.timeoutSetting}`);
      }
    }
    throw broken(`more than ${MAX_PAGES} pages`);
  }

  /** Waits no longer than a moment for each further answer. */
  hurry(): void {
    this.#timeoutMs = Math.min(this.#timeoutMs, IMPATIENT_MS);
  }

  isUndeclared({ method, capability }: List): void {
    const reason =
      `the upstream does not declare the capability "${capability}"; its list is used all the same`;
    this.#warn({ list: method, name: "", reason });
  }

  listFailed({ method }: List, error: SluiceError): void {
    if (error.code === "UPSTREAM_TIMEOUT") this.hurry();
    this.#warn({ list: method, name: null, reason: operatorText(error) });
  }

  /** The result as text. Null: the upstream does not know the method. */
  async #page({ method }: List, cursor: string | undefined): Promise<string | null> {
    const params = cursor === undefined ? undefined : JSON.stringify({ cursor });
    const answer = await this.session.request(method, params, { ...this.call, timeoutMs: this.#timeoutMs });
    if (!answer.failed) return answer.text;
    const error: unknown = JSON.parse(answer.text);
    // Servers that declare `resources` may lack the templates list. The gateway treats it as empty.
    if (isObject(error) && error.code === METHOD_NOT_FOUND && cursor === undefined) return null;
    const reason = isObject(error) && typeof error.message === "string" ? error.message : "no reason given";
    throw new SluiceError("UPSTREAM_REJECTED", { upstream: this.upstream, method, reason });
  }

  #judge({ kind, method }: List, element: string, number: number): DiscoveredEntry | null {
    const judged = judgeEntry(kind, element, this.session.protocolVersion);
    if (isRefused(judged)) {
      const { reason } = judged;
      keep(this.skipped, {
        kind,
        name: named(judged.name, number),
        reason: reason.slice(0, MAX_REASON_LENGTH),
      });
      return null;
    }
    const { key, text, sessionText, losses } = judged;
    if (losses.length > 0) {
      this.#warn({ list: method, name: named(key, number), reason: `left out: ${losses.join("; ")}` });
    }
    return { key, text, sessionText };
  }

  #noteTtl(ttlMs: string | undefined): void {
    const value: unknown = JSON.parse(ttlMs ?? "null");
    if (Number.isSafeInteger(value)) {
      this.listTtlMs = Math.min(Math.max(0, Number(value)), this.listTtlMs ?? Infinity);
    }
  }

  #warn({ list, name, reason }: ListWarning): void {
    keep(this.warnings, { list, name, reason: reason.slice(0, MAX_REASON_LENGTH) });
  }

  #tooLarge({ method }: List, limit: string, setting: string): SluiceError {
    return new SluiceError("UPSTREAM_LIST_TOO_LARGE", { upstream: this.upstream, method, limit, setting });
  }
}

function keep<T>(kept: T[], fault: T): void {
  if (kept.length < MAX_FAULTS) kept.push(fault);
}

function named(name: string, number: number): string {
  return name === ""
    ? `#${number}`
    : name.slice(0, MAX_NAME_LENGTH).toWellFormed().replaceAll("\0", "\uFFFD");
}
