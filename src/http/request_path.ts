// The path of a request, as routing and limits take it.

/** The path of an absolute URL, below `rootPath`. Builds no URL object, which would cost more than the rest of routing. */
export function pathOf(url: string, rootPath = ""): string {
  const path = wholePathOf(url);
  if (rootPath === "" || !path.startsWith(rootPath)) return path;
  const rest = path.slice(rootPath.length);
  return rest === "" ? "/" : rest.startsWith("/") ? rest : path;
}

function wholePathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  const end = query < 0 ? url.length : query;
  return end - start > 1 && url.charCodeAt(end - 1) === SLASH
    ? url.slice(start, end - 1)
    : url.slice(start, end);
}

const SLASH = 0x2f;
