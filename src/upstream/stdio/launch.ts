// The command line of a stdio upstream, and its text form in the registry: a `stdio:` URL.

export interface Launch {
  /** A program: a path, or a name that is looked up in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  /** The working directory; null: the gateway's own. */
  readonly cwd: string | null;
}

/** `stdio:npx?arg=-y&arg=time-mcp&cwd=%2Fsrv`. Two launches are equal if and only if their URLs are. */
export function launchUrl({ command, args, cwd }: Launch): string {
  const query = new URLSearchParams(args.map((arg) => ["arg", arg]));
  if (cwd !== null) query.append("cwd", cwd);
  return `stdio:${encodeURIComponent(command.toWellFormed())}${query.size > 0 ? `?${query}` : ""}`;
}

/** @param url from `launchUrl` */
export function readLaunch(url: string | URL): Launch {
  const { pathname, searchParams } = new URL(url);
  return {
    command: decodeURIComponent(pathname),
    args: searchParams.getAll("arg"),
    cwd: searchParams.get("cwd"),
  };
}

/** Programs that install a server before they start it. */
const INSTALLERS: ReadonlySet<string> = new Set([
  ...["npx", "pnpx", "bunx", "pnpm", "yarn", "uvx", "uv", "pipx", "docker", "podman", "deno", "go", "dnx"],
]);

/** May the start of this `stdio:` URL take as long as an installation? False for any other URL. */
export function isInstaller(url: string): boolean {
  if (!url.startsWith("stdio:")) return false;
  const program = readLaunch(url).command.split(/[\\/]/).at(-1)!.replace(/\.(cmd|exe)$/i, "");
  return INSTALLERS.has(program);
}
