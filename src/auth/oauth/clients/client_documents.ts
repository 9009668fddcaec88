// Clients whose id is the https address of a document with their metadata (OAuth Client ID Metadata Document, which MCP 2025-11-25
// prefers to registration). The gateway reads the document through its egress guard when a signed-in user is to allow the client.
import { BoundedMap } from "../../../base/bounded_map.ts";
import type { Clock } from "../../../base/clock.ts";
import { reasonOf } from "../../../base/errors.ts";
import type { Client } from "./client.ts";
import { readMetadata } from "./client_metadata.ts";
import { OAuthFault } from "../oauth_fault.ts";

export interface ClientDocumentsDeps {
  /** Reads the document, within limits of time and size. No redirect is followed. Rejects with the reason. */
  readonly read: (url: URL) => Promise<{ readonly status: number; readonly text: string }>;
  readonly clock: Clock;
  readonly count: (outcome: "success" | "failure") => void;
}

/** A client id is a part of many addresses and of each row. */
const MAX_ID_CHARS = 500;

/** The draft recommends a limit of 5 KB. */
export const MAX_DOCUMENT_BYTES = 10_240;

/** How long a document counts. The draft wants caching; a client that changes its document waits as long. */
const KEPT_MS = 10 * 60_000;

/** How long a document that cannot be read is not tried again. */
const FAILURE_KEPT_MS = 10_000;

const MAX_KEPT = 500;

interface Kept {
  readonly client: Promise<Client>;
  until: number;
}

/** Is the id of a client an address with metadata? Such ids have the form that the draft wants; every other id is registered. */
export function isDocumentId(id: string): boolean {
  if (id.length > MAX_ID_CHARS || !id.startsWith("https://")) return false;
  const url = URL.parse(id);
  // The address is compared as text, so that there is only one way to write it.
  return url !== null && url.href === id && url.username === "" && url.password === "" && url.hash === "" &&
    url.search === "" && url.pathname !== "/" && !id.includes("#");
}

export class ClientDocuments {
  readonly #deps: ClientDocumentsDeps;
  readonly #kept = new BoundedMap<string, Kept>({ maxEntries: MAX_KEPT });

  constructor(deps: ClientDocumentsDeps) {
    this.#deps = deps;
  }

  /** @throws {OAuthFault} invalid_client with the reason */
  async read(id: string): Promise<Client> {
    const { clock } = this.#deps;
    const kept = this.#kept.get(id);
    if (kept !== undefined && kept.until > clock.now()) return await kept.client;
    const entry: Kept = { client: this.#fetch(id), until: clock.now() + KEPT_MS };
    this.#kept.set(id, entry);
    entry.client.catch(() => entry.until = clock.now() + FAILURE_KEPT_MS);
    return await entry.client;
  }

  async #fetch(id: string): Promise<Client> {
    const { read, count } = this.#deps;
    try {
      const { status, text } = await read(new URL(id));
      if (status !== 200) throw new Error(`it answered HTTP ${status}`);
      if (text.length > MAX_DOCUMENT_BYTES) throw new Error(`it is larger than ${MAX_DOCUMENT_BYTES} bytes`);
      const client = clientIn(id, text);
      count("success");
      return client;
    } catch (error) {
      count("failure");
      throw new OAuthFault(
        "invalid_client",
        `the metadata document of the client cannot be used: ${reasonOf(error)}`,
      );
    }
  }
}

/** @throws {Error} with the reason */
function clientIn(id: string, text: string): Client {
  let given;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  const { name, authMethod, ...metadata } = readMetadata(given);
  if (given.client_id !== id) throw new Error("its client_id is not its address");
  if (authMethod !== undefined && authMethod !== "none") {
    throw new Error(
      `its token_endpoint_auth_method is ${authMethod.slice(0, 50)}, and only none is supported`,
    );
  }
  if ("client_secret" in given) throw new Error("it has a client_secret");
  const { host } = new URL(id);
  return { ...metadata, id, host, name: name === "" ? host : name };
}
