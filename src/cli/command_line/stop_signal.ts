// The signals that end a command that serves.

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Resolves at the first SIGINT or SIGTERM. A second signal ends the process at once, as usual. */
export function stopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    const listeners = SIGNALS.map((signal) => {
      const listener = () => {
        for (const [name, other] of listeners) Deno.removeSignalListener(name, other);
        resolve(signal);
      };
      return [signal, listener] as const;
    });
    for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  });
}
