// Reads what the settings name on this machine: listening addresses, key files, certificates.
import { existsSync } from "node:fs";
import { readOwnKeys, usesKeyPair } from "../../auth/keys/own_keys.ts";
import { reasonOf } from "../../base/errors.ts";
import { resolveHost } from "../../base/egress/egress_guard.ts";
import type { Loaded } from "../../config/load.ts";
import { type SettingName, SETTINGS } from "../../config/schema.ts";
import type { Setting } from "../../config/settings/setting.ts";
import { fileSystemOf, readSystemFile } from "../../supervisor/kernel/libc.ts";
import { expiryWarning, readKeyPair } from "../../worker/listen/certificate.ts";
import { listenAddresses, type Reach, reachOf } from "./address_reach.ts";
import { isCommitted } from "./git_index.ts";

export interface SettingsFacts {
  /** From where HOST can be reached. */
  readonly reach: Reach;
  /** Does the command run as root? */
  readonly isRoot: boolean;
  /** Files of settings that hold a secret and that other users can read: name and mode. */
  readonly openFiles: readonly { readonly path: string; readonly mode: number }[];
  /** Files of settings that hold a secret and that a repository of git has. */
  readonly committedFiles: readonly string[];
  /** Files of settings that hold a secret and are a part of the image that this container was made of. */
  readonly imageFiles: readonly string[];
  /** Why the key pair of tokens cannot be used, or what is wrong with its files. */
  readonly keyFaults: readonly string[];
  readonly certificate: { readonly fault: string | null; readonly expiry: string | null };
  /** The mode of KEY_FILE if every user of this machine can read it; null: nobody else can, or it is not used. */
  readonly keyFileMode: number | null;
}

export async function readSettingsFacts(loaded: Loaded): Promise<SettingsFacts> {
  const { config } = loaded;
  const own = () => Deno.networkInterfaces().map(({ address }) => address);
  return {
    reach: reachOf(await listenAddresses(config.host, own, resolveHost)),
    isRoot: Deno.uid() === 0,
    openFiles: secretFilesOf(loaded).flatMap((path) => {
      const { mode } = Deno.statSync(path);
      return mode === null || (mode & 0o077) === 0 ? [] : [{ path, mode: mode & 0o777 }];
    }),
    committedFiles: secretFilesOf(loaded).filter(isCommitted),
    imageFiles: isContainer()
      ? secretFilesOf(loaded).filter((path) => fileSystemOf(path)?.type === OVERLAY)
      : [],
    keyFaults: await keyFaults(loaded),
    certificate: await certificateOf(loaded),
    keyFileMode: openMode(loaded),
  };
}

/** The magic number of statfs(2) of a container's own layers. A file that was mounted into it has another one. */
const OVERLAY = 0x794c7630;

function isContainer(): boolean {
  return ["/.dockerenv", "/run/.containerenv"].some((path) => existsSync(path)) ||
    isContainerRoot(readSystemFile("/proc/self/mountinfo") ?? "");
}

/**
 * Docker, Podman and CRI-O mark a container by a file. containerd, which most nodes of Kubernetes run, does not: its root file system
 * is an overlay of folders of its own.
 * @param mounts as /proc/self/mountinfo has them
 */
export function isContainerRoot(mounts: string): boolean {
  return /^\S+ \S+ \S+ \S+ \/ .* - overlay .*(?:containerd|docker|crio|containers\/storage)/m.test(mounts);
}

/** The files of settings that hold a secret. */
function secretFilesOf({ sources, databaseDotEnv }: Loaded): string[] {
  const secret = SETTINGS.filter((row: Setting) => row.secret === "value" || hasPassword(row, sources));
  const paths = new Set(secret.flatMap(({ name }) => {
    const { from } = sources[name as SettingName];
    return from === ".env" ? [from] : from === ".env beside the database" ? [databaseDotEnv!] : [];
  }));
  return [...paths];
}

/** Is it a URL with a password? */
function hasPassword(row: Setting, sources: Loaded["sources"]): boolean {
  return row.secret === "url" && /:[^/@]+@/.test(sources[row.name as SettingName].text ?? "");
}

async function keyFaults({ config }: Loaded): Promise<string[]> {
  if (!usesKeyPair(config)) return [];
  const faults: string[] = [];
  await readOwnKeys(config, null, (warning) => faults.push(warning)).catch((error) =>
    faults.push(reasonOf(error))
  );
  return faults;
}

/** A group may be one of those who need the key, such as ssl-cert of Debian. */
function openMode({ config: { ssl, keyFile } }: Loaded): number | null {
  const mode = ssl && keyFile !== null && existsSync(keyFile) ? Deno.statSync(keyFile).mode : null;
  return mode === null || (mode & 0o004) === 0 ? null : mode & 0o777;
}

async function certificateOf({ config }: Loaded): Promise<SettingsFacts["certificate"]> {
  if (!config.ssl) return { fault: null, expiry: null };
  try {
    return { fault: null, expiry: expiryWarning(await readKeyPair(config), Date.now()) };
  } catch (error) {
    return { fault: reasonOf(error), expiry: null };
  }
}
