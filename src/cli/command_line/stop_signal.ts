// How a command that serves is told to end.

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Resolves at the first SIGINT or SIGTERM. Further ones have their usual effect: they end the process at once. */
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
