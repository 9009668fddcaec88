// SIGHUP asks for a reload. Reloads run one at a time.

/** Runs `reload` at every SIGHUP. Signals during a run lead to one more run. @returns removes the listener */
export function onReloadSignal(reload: () => Promise<void>): () => void {
  let isRunning = false;
  let isAskedAgain = false;
  const listener = async () => {
    if (isRunning) {
      isAskedAgain = true;
      return;
    }
    isRunning = true;
    do {
      isAskedAgain = false;
      await reload();
    } while (isAskedAgain);
    isRunning = false;
  };
  Deno.addSignalListener("SIGHUP", listener);
  return () => Deno.removeSignalListener("SIGHUP", listener);
}
