"""Read lists as the official Python SDK's client does. One JSON object a line on standard input: the method, the revision and
the text of the whole JSON-RPC response. One line on standard output for each: "ok", or why the SDK refuses it."""

import json
import sys

from mcp_types.jsonrpc import jsonrpc_message_adapter
from mcp_types.methods import parse_server_result

for line in sys.stdin:
    asked = json.loads(line)
    try:
        message = jsonrpc_message_adapter.validate_json(asked["text"].encode())
        parse_server_result(asked["method"], asked["revision"], message.result)
        print("ok")
    except Exception as error:
        print(str(error).replace("\n", " ")[:500])
