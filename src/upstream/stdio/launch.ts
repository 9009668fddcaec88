// What a stdio upstream is started by, and the one text form of it that the registry keeps: a `stdio:` URL.

export interface Launch {
  /** A program: a path, or a name to look up in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  /** The folder that it runs in; null: the gateway's own. */
  readonly cwd: string | null;
}

/** `stdio:npx?arg=-y&arg=time-mcp&cwd=%2Fsrv`. Two launches are the same if and only if their URLs are. */
export function launchUrl({ command, args, cwd }: Launch): string {
  const query = new URLSearchParams(args.map((arg) => ["arg", arg]));
  if (cwd !== null) query.append("cwd", cwd);
  return `stdio:${encodeURIComponent(command.toWellFormed())}${query.size > 0 ? `?${query}` : ""}`;
}

/** @param url what `launchUrl` wrote */
export function readLaunch(url: string | URL): Launch {
  const { pathname, searchParams } = new URL(url);
  return {
    command: decodeURIComponent(pathname),
    args: searchParams.getAll("arg"),
    cwd: searchParams.get("cwd"),
  };
}
