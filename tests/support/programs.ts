// The programs that tests start and a fresh machine may lack.

export interface Program {
  /** Its file's name. */
  readonly name: string;
  /** The Debian package that has it. */
  readonly debianPackage: string;
}

/** Every program that a test needs, besides Deno and what npm_programs.ts and python_programs.ts install. */
export const PROGRAMS: readonly Program[] = [
  { name: "hey", debianPackage: "hey" },
  { name: "h2load", debianPackage: "nghttp2-client" },
  { name: "curl", debianPackage: "curl" },
  { name: "jq", debianPackage: "jq" },
  { name: "openssl", debianPackage: "openssl" },
  { name: "ss", debianPackage: "iproute2" },
  { name: "nginx", debianPackage: "nginx-light" },
  { name: "initdb", debianPackage: "postgresql" },
  { name: "pgbouncer", debianPackage: "pgbouncer" },
  { name: "redis-server", debianPackage: "redis-server" },
  { name: "tinyproxy", debianPackage: "tinyproxy-bin" },
  { name: "rsyslogd", debianPackage: "rsyslog" },
  { name: "prometheus", debianPackage: "prometheus" },
  { name: "npm", debianPackage: "npm" },
  { name: "python3", debianPackage: "python3" },
  { name: "pip3", debianPackage: "python3-pip" },
  { name: "script", debianPackage: "bsdutils" },
  { name: "chromium", debianPackage: "chromium" },
];

/** Debian keeps the PostgreSQL server's programs here, by version, and not on PATH. */
const POSTGRES_VERSIONS = "/usr/lib/postgresql";

/** Is there a program of this name? */
export function hasProgram(name: string): boolean {
  return findProgram(name) !== null;
}

/** Its path: from PATH, or from where Debian keeps servers. */
export function findProgram(name: string): string | null {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", ...postgresFolders()];
  const isProgram = (path: string) => {
    try {
      const { isFile, mode } = Deno.statSync(path);
      return isFile && ((mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  };
  return folders.map((folder) => `${folder}/${name}`).find(isProgram) ?? null;
}

/** The newest version first. */
function postgresFolders(): string[] {
  try {
    const versions = Array.from(Deno.readDirSync(POSTGRES_VERSIONS), (entry) => Number(entry.name));
    return versions.sort((a, b) => b - a).map((version) => `${POSTGRES_VERSIONS}/${version}/bin`);
  } catch {
    return [];
  }
}

/** Should a test that needs `name` be left out? Never on CI, where a missing program is a failure. */
export function canLeaveOut(name: string): boolean {
  return !hasProgram(name) && Deno.env.get("CI") !== "true";
}
