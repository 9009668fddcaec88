// The user of the operating system that stdio upstreams run as (STDIO_USER).
import { SluiceError } from "../../base/errors.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** Where commands of upstreams may come from. */
export interface CommandSources {
  readonly stdioEnabled: boolean;
  readonly mcpConfig: string | null;
}

/** Can the gateway have upstreams that it starts as programs? */
export function startsPrograms({ stdioEnabled, mcpConfig }: CommandSources): boolean {
  return stdioEnabled || mcpConfig !== null;
}

/**
 * The account of STDIO_USER; null: stdio upstreams run as the gateway's own user.
 * @throws {SluiceError} SETTINGS_INVALID if the user does not exist
 */
export function stdioAccount(
  { stdioUser, ...sources }: CommandSources & { readonly stdioUser: string | null },
): Account | null {
  if (!startsPrograms(sources) || stdioUser === null) return null;
  if (Deno.build.os !== "linux") {
    throw unusableUser(stdioUser, "only Linux can start processes as another user");
  }
  const account = parseAccounts(Deno.readTextFileSync("/etc/passwd")).find(({ name }) => name === stdioUser);
  if (account === undefined) throw unusableUser(stdioUser, "/etc/passwd has no user of this name");
  return account;
}

/** @param passwd the text of /etc/passwd */
export function parseAccounts(passwd: string): Account[] {
  return passwd.split("\n").flatMap((line) => {
    const [name, , uid, gid, , home, shell] = line.split(":");
    if (!name || !/^\d+$/.test(uid ?? "") || !/^\d+$/.test(gid ?? "")) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home: home || "/", shell: shell || "/bin/sh" }];
  });
}

export function unusableUser(name: string, reason: string): SluiceError {
  const mistake = `STDIO_USER=${name}: ${reason}`;
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}
