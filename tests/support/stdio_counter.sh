#!/bin/sh
# An MCP server over stdio that starts within a millisecond and counts: one process, one counter.
# It reads our own spelling of requests, not JSON in general. $1 says how it misbehaves, $2 marks its processes for `ps`.
# strict: it ends at whatever comes before `initialize`. mute: it says nothing to that.
count=0
is_open=no
case $1 in
  dies) echo "cannot go on" >&2; exit 3 ;;
  stubborn) trap '' TERM; (trap '' TERM; exec sleep 300) & ;;
  deaf) sleep 300; exit ;;
  slow) sleep 4 ;;
esac
while IFS= read -r line; do
  case $line in *'"id":'*'"method":'*) ;; *) continue ;; esac
  id=${line#*'"id":'}
  id=${id%%,*}
  id=${id%\}}
  case $1,$is_open,$line in
    *'"method":"initialize"'*) is_open=yes ;;
    strict,no,*) echo "connection closed: initialize request expected" >&2; exit 5 ;;
    mute,no,*) continue ;;
  esac
  case $line in
    *'"method":"initialize"'*)
      result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"counter","version":"1"}}' ;;
    *'"method":"tools/list"'*)
      result='{"tools":[{"name":"increment","inputSchema":{"type":"object"}},{"name":"crash","inputSchema":{"type":"object"}},{"name":"long","inputSchema":{"type":"object"}},{"name":"env","inputSchema":{"type":"object"}}]}' ;;
    *'"name":"increment"'*)
      count=$((count + 1))
      result='{"content":[{"type":"text","text":"'$count'"}]}' ;;
    *'"name":"crash"'*) echo "crashing" >&2; exit 7 ;;
    *'"name":"long"'*)
      result='{"content":[{"type":"text","text":"'$(head -c 300000 /dev/zero | tr '\0' x)'"}]}' ;;
    *'"name":"env"'*)
      result='{"content":[{"type":"text","text":"'$(env | tr '\n' ' ' | tr -d '\\"')'"}]}' ;;
    *) result='{}' ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
# As a server that does not end with its input.
if [ "$1" = stubborn ]; then sleep 300; sleep 300; sleep 300; fi
