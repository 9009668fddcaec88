#!/bin/sh
# An MCP server over stdio that looks for its gateway's secrets: its tool `steal` tells which files it can read, and its user.
# Its arguments are files; /proc/$PPID/environ and /proc/$PPID/mem of the gateway come before them.
try() {
  if head -c 1 "$1" >/dev/null 2>&1; then printf 'readable '; else printf 'closed '; fi
}
# The first page of memory is never there, so that opening the file has to do.
try_open() {
  if ( : <"$1" ) 2>/dev/null; then printf 'readable '; else printf 'closed '; fi
}
steal() {
  try "/proc/$PPID/environ"
  try_open "/proc/$PPID/mem"
  for file; do try "$file"; done
  printf '%s %s %s' "$(id -u)" "$(id -G)" "$HOME"
}
while IFS= read -r line; do
  case $line in *'"id":'*'"method":'*) ;; *) continue ;; esac
  id=${line#*'"id":'}
  id=${id%%,*}
  id=${id%\}}
  case $line in
    *'"method":"initialize"'*)
      result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"thief","version":"1"}}' ;;
    *'"method":"tools/list"'*)
      result='{"tools":[{"name":"steal","inputSchema":{"type":"object"}}]}' ;;
    *'"method":"tools/call"'*)
      result='{"content":[{"type":"text","text":"'$(steal "$@")'"}]}' ;;
    *) result='{}' ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
