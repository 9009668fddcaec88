"""Logs in to a gateway with FastMCP and calls a tool, with a new token, and with one that it takes for expired:
oauth_client.py URL."""

import asyncio
import sys

from fastmcp import Client


async def main(url):
    async with Client(url, auth="oauth") as client:
        await client.call_tool("demo-echo", {"message": "before"})
        client.transport.auth.context.token_expiry_time = 1
        result = await client.call_tool("demo-echo", {"message": "hi"})
        print(result.content[0].text, flush=True)


asyncio.run(main(*sys.argv[1:]))
