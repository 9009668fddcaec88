// A step of the examination of an upstream.

export interface UpstreamTarget {
  readonly url: URL;
  /** Of every request; they may hold credentials, and are never shown. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** PEM of an authority to trust besides the system's; null: none. */
  readonly caCertificate: string | null;
}

export interface Step {
  readonly name: "settings" | "DNS" | "TCP" | "TLS" | "HTTP" | "MCP";
  readonly outcome: "works" | "attention" | "fails" | "left out";
  /** How long the step took. */
  readonly ms: number;
  /** Sentences, without secrets. */
  readonly found: readonly string[];
  /** What an operator can do; absent: nothing is needed, or nothing is known. */
  readonly remedy?: string;
}

/** A step as its reader returns it. */
export type StepResult = Omit<Step, "name" | "ms">;

export interface UpstreamReport {
  readonly url: string;
  readonly steps: readonly Step[];
  /** What the registration needs to say; null: the upstream does not work. */
  readonly registration: Registration | null;
}

export interface Registration {
  readonly transport: "STREAMABLEHTTP" | "SSE" | "WEBSOCKET";
  readonly stateful: boolean;
}

/** Shows no password of a URL. */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  if (shown.password !== "") shown.password = "***";
  for (const name of shown.searchParams.keys()) shown.searchParams.set(name, "***");
  return shown.href;
}

/** A failure of a step with its remedy. */
export class StepFailure extends Error {
  constructor(found: string, readonly remedy: string) {
    super(found);
  }
}
