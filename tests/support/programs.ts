// The programs that tests start and a fresh machine may lack.

export interface Program {
  /** Its name on PATH. */
  readonly name: string;
  /** The Debian package that has it. */
  readonly debianPackage: string;
}

/** Every program that a test needs, besides Deno. */
export const PROGRAMS: readonly Program[] = [
  { name: "hey", debianPackage: "hey" },
];

/** Is a program of this name on PATH? */
export function hasProgram(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      const { isFile, mode } = Deno.statSync(`${folder}/${name}`);
      return isFile && ((mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  });
}

/** Should a test that needs `name` be left out? Never on CI, where a missing program is a failure. */
export function canLeaveOut(name: string): boolean {
  return !hasProgram(name) && Deno.env.get("CI") !== "true";
}
