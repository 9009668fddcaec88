"""Call the tool of a counter three times with a Python client: count.py CLIENT URL TOOL. The token is in the variable TOKEN.
Prints the texts that the calls have given, as a JSON array."""

import asyncio
import json
import os
import sys

TIMES = 3


async def python_sdk_1(url, tool, headers):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(url, headers=headers) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            return [(await session.call_tool(tool, {})).content[0].text for _ in range(TIMES)]


async def langchain(url, tool, headers):
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.tools import load_mcp_tools

    client = MultiServerMCPClient({"it": {"transport": "streamable_http", "url": url, "headers": headers}})
    async with client.session("it") as session:
        called = next(each for each in await load_mcp_tools(session) if each.name == tool)
        return [(await called.ainvoke({}))[0]["text"] for _ in range(TIMES)]


def python_sdk_2(mode):
    async def count(url, tool, headers):
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client

        transport = streamable_http_client(url, http_client=httpx2.AsyncClient(headers=headers))
        async with Client(transport, mode=mode) as client:
            return [(await client.call_tool(tool, {})).content[0].text for _ in range(TIMES)]

    return count


async def fastmcp(url, tool, headers):
    from fastmcp import Client
    from fastmcp.client.transports import StreamableHttpTransport

    async with Client(StreamableHttpTransport(url, headers=headers)) as client:
        return [(await client.call_tool(tool, {})).content[0].text for _ in range(TIMES)]


async def openai_agents(url, tool, headers):
    from agents.mcp import MCPServerStreamableHttp

    async with MCPServerStreamableHttp(params={"url": url, "headers": headers}) as server:
        return [(await server.call_tool(tool, {})).content[0].text for _ in range(TIMES)]


async def pydantic_ai(url, tool, headers):
    from pydantic_ai.mcp import MCPToolset

    async with MCPToolset(url, headers=headers) as toolset:
        return [str(await toolset.direct_call_tool(tool, {})) for _ in range(TIMES)]


CLIENTS = {
    "python-sdk-1": python_sdk_1,
    "langchain": langchain,
    "python-sdk-2": python_sdk_2("auto"),
    "python-sdk-2-sessions": python_sdk_2("legacy"),
    "fastmcp": fastmcp,
    "openai-agents": openai_agents,
    "pydantic-ai": pydantic_ai,
}

_, name, address, counter = sys.argv
authorization = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
print(json.dumps(asyncio.run(CLIENTS[name](address, counter, authorization))))
