// Headers of requests to upstreams come from several sources.
import type { HeaderList } from "./transport.ts";

/** Joins lists of headers. A header replaces headers of earlier lists with its name. */
export function mergeHeaders(...lists: readonly HeaderList[]): HeaderList {
  return lists.reduce((earlier, later) => {
    const replaced = new Set(later.map(([name]) => name));
    return [...earlier.filter(([name]) => !replaced.has(name)), ...later];
  }, []);
}
