// SIGHUP means "read again what can be read again", one time after the other.

/** Runs `reload` at every SIGHUP; a signal during a run leads to one more run after it. @returns how to stop that */
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
