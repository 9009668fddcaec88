// Which upstream has given a caller the link to a resource. Links are "not guaranteed to appear in the results of resources/list"
// (2025-11-25, tools, "Resource Links"), so that nothing else may tell whose they are.
import { createHash } from "node:crypto";
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Cache } from "../../cache/cache.ts";
import { eachElement, isObject, memberText } from "../../mcp/json_rpc.ts";
import type { CallContext } from "../call/call_context.ts";
import { taskOwnerOf } from "../tasks/task_ids.ts";

/** The upstream's id by URI, the newest last. */
type Links = BoundedMap<string, string>;

/** Limits of what is kept for one caller at one endpoint. The oldest links go first. */
const MAX_LINKS = 500;
const MAX_LINK_CHARS = 32 * 1024;

/** Callers and endpoints whose links a worker keeps. Those of others are in the shared records. */
const MAX_OWNERS = 500;

/** A link is known for this time after the last one that its caller was given. */
const TTL_MS = 24 * 60 * 60_000;

/** Tries to write a record that other workers write too. */
const MAX_TRIES = 3;

/** What every answer with a link contains. */
const MARK = "resource_link";

/** May the answer hold links? This is asked of every answer. */
export function mayHoldLinks(method: string, text: string): boolean {
  return (method === "tools/call" || method === "prompts/get" || method === "tasks/result") &&
    text.includes(MARK);
}

/** The URIs of the links in a result of a tool or prompt, as JSON text. */
export function linksIn(result: string): string[] {
  const contents = memberText(result, "content") ?? memberText(result, "messages") ?? "[]";
  if (!contents.startsWith("[")) return [];
  const uris: string[] = [];
  for (const element of eachElement(contents)) {
    if (!element.includes(MARK)) continue;
    const item: unknown = JSON.parse(element);
    const block = isObject(item) && isObject(item.content) ? item.content : item;
    if (isObject(block) && block.type === MARK && typeof block.uri === "string") uris.push(block.uri);
    if (uris.length === MAX_LINKS) break;
  }
  return uris;
}

export class ResourceLinks {
  readonly #records: Cache;
  readonly #owners = new BoundedMap<string, Links>({ maxEntries: MAX_OWNERS, ageFrom: "get" });

  /** @param records shared by the workers, so that a call without a session finds links that another worker has seen */
  constructor(records: Cache) {
    this.#records = records;
  }

  /** The id of the upstream that has given this caller the link, as far as this worker knows. */
  known(call: CallContext, uri: string): string | undefined {
    return this.#owners.get(ownerOf(call))?.get(uri);
  }

  /** Looks in the shared records too. */
  async find(call: CallContext, uri: string): Promise<string | undefined> {
    const known = this.known(call, uri);
    if (known !== undefined) return known;
    await this.recall(call);
    return this.known(call, uri);
  }

  /** Reads what other workers have noted for this caller. Without the records the worker knows its own links only. */
  async recall(call: CallContext): Promise<void> {
    const owner = ownerOf(call);
    const record = await this.#records.get(keyOf(owner)).catch(() => null);
    if (record !== null) this.#add(owner, read(record));
  }

  /** Resolves when other workers know the links as well. Never rejects. */
  async note(call: CallContext, gatewayId: string, uris: readonly string[]): Promise<void> {
    const owner = ownerOf(call);
    const news = uris.filter((uri) => uri.length <= MAX_LINK_CHARS && this.known(call, uri) !== gatewayId);
    if (news.length === 0) return;
    const added = news.map((uri): [string, string] => [uri, gatewayId]);
    this.#add(owner, added);
    await this.#share(owner, added).catch(() => {});
  }

  async #share(owner: string, added: readonly [string, string][]): Promise<void> {
    const key = keyOf(owner);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const before = await this.#records.get(key);
      const links = newLinks();
      for (const [uri, gatewayId] of [...(before === null ? [] : read(before)), ...added]) {
        links.set(uri, gatewayId);
      }
      if (await this.#records.compareAndSet(key, before, JSON.stringify([...links]), TTL_MS)) return;
    }
  }

  #add(owner: string, added: readonly [string, string][]): void {
    let links = this.#owners.get(owner);
    if (links === undefined) this.#owners.set(owner, links = newLinks());
    for (const [uri, gatewayId] of added) links.set(uri, gatewayId);
  }
}

function newLinks(): Links {
  return new BoundedMap({
    maxEntries: MAX_LINKS,
    maxWeight: MAX_LINK_CHARS,
    weightOf: (uri, gatewayId) => uri.length + gatewayId.length,
  });
}

function read(record: string): [string, string][] {
  return JSON.parse(record);
}

/** Links are given to one caller, with the limits of its token, at one endpoint. */
function ownerOf(call: CallContext): string {
  const { issuer, subject, reach, serverId } = taskOwnerOf(call);
  return JSON.stringify([issuer, subject, reach, serverId]);
}

function keyOf(owner: string): string {
  return `links:${createHash("sha256").update(owner).digest("base64url")}`;
}
