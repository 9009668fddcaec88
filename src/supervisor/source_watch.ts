// DEV_MODE: watches the sources, so that changes lead to fresh workers.

/** Editors write a file in several steps. Changes within this time count as one. */
const SETTLE_MS = 150;

/** Runs `onChange` after changes of TypeScript files in the folder. @returns stops the watch */
export function watchSources(folder: URL, onChange: (paths: readonly string[]) => void): () => void {
  const watcher = Deno.watchFs(folder.pathname);
  let changed = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  (async () => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access") continue;
      for (const path of paths) if (path.endsWith(".ts")) changed.add(path);
      if (changed.size === 0) continue;
      clearTimeout(timer);
      timer = setTimeout(() => {
        const all = [...changed];
        changed = new Set();
        onChange(all);
      }, SETTLE_MS);
    }
  })();
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
