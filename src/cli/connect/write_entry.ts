// Writes an entry into a client's file: the rest of the file stays, and a copy of the old one is kept.

import { dirname } from "node:path";
import { SluiceError } from "../../base/errors.ts";
import { readFault, writeFault } from "../../base/file_error.ts";
import { parseJsonc, withValue } from "../../client_config/jsonc.ts";
import { withTable } from "../../client_config/toml_entry.ts";
import { type FileClient, json, wholeDocument } from "../../client_config/clients.ts";
import type { Connection } from "../../client_config/connection.ts";

export interface Written {
  readonly file: string;
  /** The copy of the old file; null: there was none. */
  readonly backup: string | null;
}

/** @throws {SluiceError} CONFIG_FILE_UNUSABLE; the file is unchanged then */
export function writeEntry(given: string, client: FileClient, connection: Connection, now: Date): Written {
  const text = textOf(given);
  // A link stays a link.
  const file = text === null ? given : Deno.realPathSync(given);
  const after = text === null || text.trim() === ""
    ? newText(client, connection)
    : mergedText(file, text, client, connection);
  try {
    Deno.mkdirSync(dirname(file), { recursive: true });
    const backup = text === null
      ? null
      : `${file}.before-sluice-${now.toISOString().replace(/\D/g, "").slice(0, 14)}`;
    const mode = text === null ? 0o600 : Deno.statSync(file).mode ?? 0o600;
    if (backup !== null) replaceFile(backup, text!, mode);
    replaceFile(file, after, mode);
    return { file, backup };
  } catch (error) {
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file, reason: writeFault(error) }, { cause: error });
  }
}

/** null: there is no such file. */
function textOf(file: string): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Deno.readFileSync(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    const reason = error instanceof TypeError ? "it is no text in UTF-8" : readFault(error);
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file, reason }, { cause: error });
  }
}

function newText(client: FileClient, connection: Connection): string {
  return client.format === "toml"
    ? withTable("", client.path(connection, null), client.entry(connection))
    : `${json(wholeDocument(client, connection))}\n`;
}

function mergedText(file: string, text: string, client: FileClient, connection: Connection): string {
  try {
    return client.format === "toml"
      ? withTable(text, client.path(connection, null), client.entry(connection))
      : withValue(text, client.path(connection, parseJsonc(text)), client.entry(connection));
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const reason = `${error.params.reason}. The file is unchanged`;
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file, reason }, { cause: error });
  }
}

/** The file appears whole: a client may read it at any moment. It has a token, so only its owner may read a new one. */
function replaceFile(file: string, text: string, mode: number): void {
  const draft = `${file}.${crypto.randomUUID().slice(0, 8)}`;
  try {
    Deno.writeTextFileSync(draft, text, { createNew: true, mode });
    Deno.chmodSync(draft, mode & 0o777);
    Deno.renameSync(draft, file);
  } catch (error) {
    try {
      Deno.removeSync(draft);
    } catch {
      // It was not made.
    }
    throw error;
  }
}
