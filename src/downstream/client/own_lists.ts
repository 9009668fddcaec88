// The lists of one client's own upstream sessions, where they differ from the catalog: an overlay that only this client sees. It is read
// anew when a session reports changes, when the client lists, and when it names something unknown. So nothing of it has to move with the
// session to another worker.
import type { Clock } from "../../base/clock.ts";
import type { CallerIdentity } from "../../base/sharing/caller_identity.ts";
import type { ClientMemory, Holding } from "../../base/sharing/client_memory.ts";
import type { Callers } from "../../auth/callers.ts";
import { tokenOf } from "../../auth/token_reach.ts";
import type { Catalog, Scope } from "../../catalog/snapshot/catalog.ts";
import { takesAllOf } from "../../catalog/snapshot/membership.ts";
import { barrierTo, reachedScope, type Reacher } from "../../catalog/snapshot/reach.ts";
import { unapproved } from "../../catalog/overlay/approved_list.ts";
import type { Holds } from "../../catalog/holds.ts";
import { equalsCatalog, overlaid, type OwnList, ownList } from "../../catalog/overlay/overlay.ts";
import type { CallContext, SessionLists } from "../../proxy/call/call_context.ts";
import type { DiscoveredEntry, EntryKind, GatewayRow } from "../../store/registry/rows.ts";
import type { Naming } from "../../store/registry/save_discovery.ts";
import type { BoundSessions, OwnListsWatch } from "../../upstream/bound/bound_sessions.ts";
import { type ListLimits, readListsOf } from "../../upstream/list_reader.ts";
import type { ListName } from "../../upstream/session/list_filter.ts";
import type { UpstreamChannel } from "../../upstream/session/upstream_channel.ts";
import type { OwnSession, UpstreamCall } from "../../upstream/bound/upstream_parts.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import { announceScopeChange, type ListListener } from "./list_changes.ts";
import { declaredIn, type UniformLists } from "./uniform_lists.ts";

export interface OwnListsDeps {
  readonly clock: Clock;
  readonly catalog: () => Catalog;
  readonly upstreams: Pick<Upstreams, "ownSession">;
  readonly uniform: UniformLists;
  readonly naming: Naming;
  readonly limits: ListLimits;
  /** MCP_SESSION_POOL_TRANSPORT_TIMEOUT, for each request. */
  readonly timeoutMs: number;
  readonly callers: Pick<Callers, "of">;
  readonly holds: Pick<Holds, "noteSession">;
  readonly memory: ClientMemory;
  readonly countRead: (result: "same" | "own" | "failed" | "refused") => void;
}

/** A client's list waits for its sessions for this time, ms. What they say later is told as a change. */
const WAIT_MS = 5_000;

/** The pause between readings that reports of changes cause, ms. It doubles while they change nothing. */
const MIN_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;

/** A session that could not be opened is not opened for a list again before this time, ms. */
const PAUSE_AFTER_FAILURE_MS = 60_000;

const TIMEOUT_SETTING = "MCP_SESSION_POOL_TRANSPORT_TIMEOUT";

/** What an entry of an endpoint takes in the look-ups of a client's own scope, in characters. */
const CHARS_PER_ENTRY = 300;

const KINDS: Readonly<Record<ListName, readonly EntryKind[]>> = {
  tools: ["tool"],
  resources: ["resource", "template"],
  prompts: ["prompt"],
};

/** One list of one upstream, as this client has asked for it. */
interface Asked {
  /** The session that was asked last. */
  session: UpstreamChannel | null;
  /** Its count of requests then. */
  requestCount: number;
  /** Whether the session reported changes to us when a list of the client asked it. */
  isReporting: boolean;
  reading: Promise<boolean> | null;
  /** Lists that will answer with what is read. */
  awaited: number;
  failedAt: number;
  pauseMs: number;
  pauseUntil: number;
  timer: number | null;
}

export class OwnLists implements SessionLists, OwnListsWatch {
  readonly #deps: OwnListsDeps;
  readonly #listener: ListListener;
  readonly #bound: BoundSessions;
  readonly #memory: Holding;
  readonly #capabilities: ReadonlySet<string>;
  readonly #asked = new Map<string, Map<ListName, Asked>>();
  readonly #own = new Map<string, Partial<Record<EntryKind, OwnList>>>();
  /** The overlay on the scope that was used last. */
  #laid: { readonly base: Scope; readonly scope: Scope; readonly chars: number } | null = null;
  /** What the client was told last; null: it sees the catalog. */
  #told: Scope | null = null;
  #ended = false;

  constructor(deps: OwnListsDeps, listener: ListListener, bound: BoundSessions, owner: CallerIdentity) {
    this.#deps = deps;
    this.#listener = listener;
    this.#bound = bound;
    this.#memory = deps.memory.hold(owner);
    this.#capabilities = declaredIn(bound.client.capabilities);
    bound.lists = this;
  }

  /** The endpoint as the client sees it. @param base of the present catalog */
  over(base: Scope): Scope {
    if (this.#own.size === 0) return base;
    return this.#laid?.base === base ? this.#laid.scope : this.#lay(base);
  }

  ask(call: CallContext, list: ListName, missed: string | null): Promise<Scope> | null {
    const isMissed = missed !== null;
    const all = this.#due(call, list, isMissed);
    if (all.length === 0) return null;
    // A name that begins like those of one upstream does not wait for the others.
    const namesakes = all.filter(({ gateway: { slug } }) => missed?.startsWith(slug));
    const due = namesakes.length > 0 ? namesakes : all;
    const awaited = isMissed ? [] : due.map(({ gateway }) => this.#of(gateway.id, list));
    for (const asked of awaited) asked.awaited++;
    const readings = due.map(({ gateway, own: { reports, open } }) => {
      this.#of(gateway.id, list).isReporting = reports(list);
      return this.#read(gateway, list, open);
    });
    return this.#inTime(Promise.all(readings)).then(() => {
      for (const asked of awaited) asked.awaited--;
      const scope = this.over(reachedScope(this.#deps.catalog(), reacherOf(call)) ?? call.scope);
      if (!isMissed) this.#told = this.#own.size === 0 ? null : scope;
      return scope;
    });
  }

  changed(upstreamId: string, method: string, session: UpstreamChannel): void {
    const list = (Object.keys(KINDS) as ListName[]).find((name) => method.includes(`/${name}/`));
    if (list !== undefined) this.#readSoon(upstreamId, list, session);
  }

  /** A session in place of a lost one lists what a new session lists. */
  opened(upstreamId: string, session: UpstreamChannel): void {
    if (!this.#own.has(upstreamId)) return;
    for (const list of this.#asked.get(upstreamId)?.keys() ?? []) this.#readSoon(upstreamId, list, session);
  }

  /** Applies a new catalog: it may have become what the client's sessions list. */
  review(catalog: Catalog): void {
    for (const [upstreamId, lists] of [...this.#own]) {
      const isGone = catalog.gateway(upstreamId)?.enabled !== true;
      for (const kind of Object.keys(lists) as EntryKind[]) {
        if (isGone || equalsCatalog(catalog, upstreamId, kind, lists[kind]!)) {
          this.#keep(upstreamId, kind, null);
        }
      }
      if (isGone) this.#asked.delete(upstreamId);
    }
  }

  /** Tells the client what has changed for it. @returns false: it sees the catalog, as before */
  follow(catalog: Catalog): boolean {
    if (this.#own.size === 0 && this.#told === null) return false;
    this.#announce(catalog);
    return true;
  }

  end(): void {
    this.#ended = true;
    for (const lists of this.#asked.values()) {
      for (const { timer } of lists.values()) this.#deps.clock.clearTimeout(timer ?? 0);
    }
    this.#own.clear();
    this.#laid = null;
    this.#memory.close();
  }

  /** The upstreams whose sessions may list something else than is known. */
  #due(
    call: CallContext,
    list: ListName,
    isMissed: boolean,
  ): { readonly gateway: GatewayRow; readonly own: OwnSession }[] {
    if (this.#bound.size === 0 && this.#capabilities.size === 0) return [];
    const { upstreams } = this.#deps;
    const catalog = this.#deps.catalog();
    const calling = this.#callingOf(call);
    return catalog.gateways.flatMap((gateway) => {
      if (!gateway.enabled || !(list in gateway.capabilities) || !mayShow(call.scope, gateway)) return [];
      const own = upstreams.ownSession(gateway.id, calling);
      if (own === null || !this.#isDue(own, gateway, list, isMissed)) return [];
      return barrierTo(catalog, reacherOf(call), gateway.id) === null ? [{ gateway, own }] : [];
    });
  }

  #isDue({ reports, opened }: OwnSession, gateway: GatewayRow, list: ListName, isMissed: boolean): boolean {
    const isSettled = this.#deps.uniform.isSettled(gateway, list, this.#capabilities);
    const asked = this.#asked.get(gateway.id)?.get(list);
    if (opened === undefined) {
      const hasFailed = asked !== undefined &&
        this.#deps.clock.now() - asked.failedAt < PAUSE_AFTER_FAILURE_MS;
      // A lost state is told to the call that needs it.
      return !isSettled && !hasFailed && !this.#bound.client.workerLocal.hasLost(gateway.id);
    }
    // What was reported before the first reading may have been lost.
    if (asked?.session !== opened) return true;
    if (asked.reading !== null) return true;
    const isTold = !isMissed && asked.isReporting && reports(list);
    return asked.requestCount !== opened.requestCount && !isTold;
  }

  /** Reads at once, or after the pause since the last reading. */
  #readSoon(upstreamId: string, list: ListName, session: UpstreamChannel): void {
    const { clock } = this.#deps;
    const asked = this.#of(upstreamId, list);
    if (asked.timer !== null || this.#ended) return;
    const read = () => {
      asked.timer = null;
      const gateway = this.#deps.catalog().gateway(upstreamId);
      if (gateway === undefined || session.closed) return;
      void this.#read(gateway, list, () => Promise.resolve(session)).then((isChanged) => {
        asked.pauseMs = isChanged ? MIN_PAUSE_MS : Math.min(MAX_PAUSE_MS, 2 * asked.pauseMs);
        asked.pauseUntil = clock.now() + asked.pauseMs;
      });
    };
    // A reading that has begun may be too early.
    const waitMs = asked.reading === null ? asked.pauseUntil - clock.now() : MIN_PAUSE_MS;
    if (waitMs <= 0) read();
    else asked.timer = clock.setTimeout(read, waitMs);
  }

  /** Never throws. @returns whether the client sees something else than before */
  async #read(gateway: GatewayRow, list: ListName, open: () => Promise<UpstreamChannel>): Promise<boolean> {
    const asked = this.#of(gateway.id, list);
    // What a reading under way finds may be older than the client's last call.
    await asked.reading;
    asked.reading ??= this.#readNow(gateway, list, open, asked).finally(() => asked.reading = null);
    return await asked.reading;
  }

  async #readNow(
    gateway: GatewayRow,
    list: ListName,
    open: () => Promise<UpstreamChannel>,
    asked: Asked,
  ): Promise<boolean> {
    const { clock, limits, timeoutMs, countRead } = this.#deps;
    try {
      const session = await open();
      if (!session.isStateful) return false;
      const requestCount = session.requestCount! + KINDS[list].length;
      const call = { timeoutMs, timeoutSetting: TIMEOUT_SETTING };
      const found = await readListsOf(list, session, { upstream: gateway.name, call, limits });
      asked.session = session;
      asked.requestCount = requestCount;
      return !this.#ended && this.#take(gateway, list, found, asked.awaited === 0);
    } catch {
      // The calls of the client tell why.
      asked.failedAt = clock.now();
      countRead("failed");
      return false;
    }
  }

  #take(
    gateway: GatewayRow,
    list: ListName,
    found: ReadonlyMap<EntryKind, readonly DiscoveredEntry[]>,
    isUntold: boolean,
  ): boolean {
    const { uniform, countRead, catalog, holds } = this.#deps;
    let isSame = true;
    let isChanged = false;
    for (const kind of KINDS[list]) {
      const own = ownList(found.get(kind)!);
      holds.noteSession(gateway, kind, unapproved(catalog(), gateway.id, kind, own));
      const isOfCatalog = equalsCatalog(catalog(), gateway.id, kind, own);
      isSame &&= isOfCatalog;
      isChanged = this.#keep(gateway.id, kind, isOfCatalog ? null : own) || isChanged;
    }
    if (isSame) uniform.isUniform(gateway, list, this.#capabilities);
    countRead(isSame ? "same" : "own");
    if (isChanged && isUntold) this.#announce(catalog());
    return isChanged;
  }

  /** Replaces what is kept of one list. A list that the caller's memory has no room for is not kept. @returns whether it differs */
  #keep(upstreamId: string, kind: EntryKind, list: OwnList | null): boolean {
    const lists = this.#own.get(upstreamId) ?? {};
    const before = lists[kind];
    if (before === undefined ? list === null : list !== null && isSameList(before, list)) return false;
    this.#unlay();
    this.#memory.grow(-charsOf(before));
    delete lists[kind];
    if (list !== null) {
      if (this.#memory.tryGrow(charsOf(list))) lists[kind] = list;
      else this.#deps.countRead("refused");
    }
    if (Object.keys(lists).length === 0) this.#own.delete(upstreamId);
    else this.#own.set(upstreamId, lists);
    return true;
  }

  #lay(base: Scope): Scope {
    this.#unlay();
    const { catalog, naming } = this.#deps;
    const { tools, resources, templates, prompts } = base;
    const chars = CHARS_PER_ENTRY *
      [tools, resources, templates, prompts].reduce((sum, { all }) => sum + all.length, 0);
    const hasRoom = this.#memory.tryGrow(chars);
    const scope = hasRoom ? overlaid(catalog(), base, this.#own, naming) : base;
    this.#laid = { base, scope, chars: hasRoom ? chars : 0 };
    return scope;
  }

  #unlay(): void {
    this.#memory.grow(-(this.#laid?.chars ?? 0));
    this.#laid = null;
  }

  #announce(catalog: Catalog): void {
    const base = reachedScope(catalog, this.#listener);
    if (base === null) return;
    const now = this.over(base);
    announceScopeChange(this.#listener, this.#told ?? base, now);
    this.#told = this.#own.size === 0 ? null : now;
  }

  #of(upstreamId: string, list: ListName): Asked {
    let lists = this.#asked.get(upstreamId);
    if (lists === undefined) this.#asked.set(upstreamId, lists = new Map());
    let asked = lists.get(list);
    if (asked === undefined) {
      lists.set(
        list,
        asked = {
          session: null,
          requestCount: 0,
          isReporting: false,
          reading: null,
          awaited: 0,
          failedAt: -Infinity,
          pauseMs: MIN_PAUSE_MS / 2,
          pauseUntil: 0,
          timer: null,
        },
      );
    }
    return asked;
  }

  /** The call that opens a session of this client to be asked. */
  #callingOf({ principal, received, revision }: CallContext): UpstreamCall {
    const { callers, timeoutMs } = this.#deps;
    return {
      bound: this.#bound,
      token: tokenOf(principal),
      caller: callers.of(principal),
      received,
      revision,
      timeoutMs,
      timeoutSetting: TIMEOUT_SETTING,
    };
  }

  /** Resolves with the readings, or when a list has waited long enough. */
  async #inTime(readings: Promise<unknown>): Promise<void> {
    const { clock } = this.#deps;
    const over = Promise.withResolvers<void>();
    const timer = clock.setTimeout(over.resolve, WAIT_MS);
    await Promise.race([readings, over.promise]);
    clock.clearTimeout(timer);
  }
}

/** Whether the endpoint may show what the upstream lists. */
function mayShow(scope: Scope, gateway: GatewayRow): boolean {
  const { server } = scope;
  return server === null || takesAllOf(server, gateway) || scope.entriesOf(gateway.id).length > 0;
}

function reacherOf({ principal, scope }: CallContext): Reacher {
  return { principal, serverId: scope.server?.id ?? null };
}

function charsOf(list: OwnList | undefined): number {
  let chars = 0;
  for (const { key, text, sessionText } of list?.values() ?? []) {
    chars += key.length + text.length + (sessionText?.length ?? 0);
  }
  return chars;
}

function isSameList(one: OwnList, other: OwnList): boolean {
  if (one.size !== other.size) return false;
  for (const [key, { text, sessionText }] of one) {
    const entry = other.get(key);
    if (entry?.text !== text || entry.sessionText !== sessionText) return false;
  }
  return true;
}
