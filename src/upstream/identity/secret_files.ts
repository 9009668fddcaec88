// Secrets in files below SECRETS_DIRECTORY, such as those that Docker, Kubernetes and Vault's agent mount.
import { isAbsolute, join, normalize, sep } from "node:path";
import { reasonOf } from "../../base/errors.ts";

/** A certificate with its chain, or a key, has a few KiB. */
export const MAX_SECRET_BYTES = 65_536;

/** The text says what to do, and has no secret. */
export class SecretFault extends Error {
  override readonly name = "SecretFault";

  /** @param stderr the end of what a program wrote to it, for operators alone; "": nothing */
  constructor(message: string, readonly stderr = "") {
    super(message);
  }
}

/**
 * @param directory SECRETS_DIRECTORY
 * @param name of a file below it
 * @returns the content without line breaks at its end
 * @throws {SecretFault}
 */
export async function readSecretFile(directory: string, name: string): Promise<string> {
  const path = isAbsolute(name) ? normalize(name) : join(directory, name);
  if (name === "" || !isBelow(path, normalize(directory))) throw outside(name);
  try {
    // A mounted volume consists of links within it.
    const [real, root] = [await Deno.realPath(path), await Deno.realPath(directory)];
    if (!isBelow(real, root)) throw outside(name);
    // The opening of a pipe would wait for its writer.
    if (!(await Deno.stat(real)).isFile) throw new SecretFault(`the secret "${name}" is no file`);
    return textOf(await readBounded(real, name), name);
  } catch (error) {
    if (error instanceof SecretFault) throw error;
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : reasonOf(error);
    throw new SecretFault(`the file of the secret "${name}" cannot be read: ${reason} (SECRETS_DIRECTORY)`);
  }
}

/** @throws {SecretFault} for bytes that are no text, and for an empty one */
export function textOf(bytes: Uint8Array, name: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/[\r\n]+$/, "");
  } catch {
    throw new SecretFault(`the secret "${name}" is no UTF-8 text`);
  }
  if (text === "") throw new SecretFault(`the secret "${name}" is empty`);
  return text;
}

export function tooLong(name: string): SecretFault {
  return new SecretFault(`the secret "${name}" is longer than ${MAX_SECRET_BYTES} bytes`);
}

async function readBounded(path: string, name: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(MAX_SECRET_BYTES + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
  }
  throw tooLong(name);
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

function outside(name: string): SecretFault {
  return new SecretFault(`the secret "${name.slice(0, 200)}" is not below SECRETS_DIRECTORY`);
}
