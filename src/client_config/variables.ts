// Variables in configuration files: ${VAR}, ${VAR:-default}, ${env:VAR}, ${input:id}, ${workspaceFolder}. Clients replace them when
// they start a server; a server never sees one. ${file:NAME} and ${secret:NAME} are the gateway's own.

/** A variable in a text. */
export interface Reference {
  /**
   * `env`: of the environment. `input`: asked of the user. `client`: known to the client, such as the open folder. `secret`: a reference
   * to what the gateway's operator keeps, with the word before its name.
   */
  readonly kind: "env" | "input" | "client" | "secret";
  readonly name: string;
}

/** @returns the value; undefined if it is not known */
export type LookUp = (reference: Reference) => string | undefined;

/** Names without a prefix that clients define themselves. Any other name is a variable of the environment. */
const CLIENT_VARIABLES: ReadonlySet<string> = new Set([
  "workspaceFolder",
  "workspaceFolderBasename",
  "userHome",
  "pathSeparator",
  "/",
  "execPath",
  "cwd",
]);

const VARIABLE = /\$\{([^{}]*)\}/g;

/**
 * Replaces the variables of a text once: a value that looks like a variable stays as it is.
 * @param onMissing receives each variable without a value; its text stays, so the result must not be used then
 */
export function expand(text: string, lookUp: LookUp, onMissing: (reference: Reference) => void): string {
  return text.replace(VARIABLE, (written, inside: string) => {
    const { reference, fallback } = read(inside);
    const value = lookUp(reference) ?? fallback;
    if (value !== undefined) return value;
    onMissing(reference);
    return written;
  });
}

/** The variables of a text, in order; one that occurs twice is listed twice. */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(VARIABLE)].map(([, inside]) => read(inside!).reference);
}

function read(inside: string): { readonly reference: Reference; readonly fallback?: string } {
  if (inside.startsWith("input:")) return { reference: { kind: "input", name: inside.slice(6) } };
  if (/^(file|secret):/.test(inside)) return { reference: { kind: "secret", name: inside } };
  if (CLIENT_VARIABLES.has(inside)) return { reference: { kind: "client", name: inside } };
  const [, name, fallback] = /^(?:env:)?(.*?)(?::-(.*))?$/s.exec(inside)!;
  return { reference: { kind: "env", name: name! }, fallback };
}
