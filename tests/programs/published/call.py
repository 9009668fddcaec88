"""Call tools one after the other with a Python client: call.py CLIENT URL TOOL... The token is in the variable TOKEN.
Prints the texts of the results as a JSON array. A client that can be asked says "Ada", "hello" and file:///home."""

import asyncio
import json
import os
import sys

NAME, WORD, ROOT = "Ada", "hello", "file:///home"


def answers():
    """What the official SDK, of both lines, calls when a server asks."""
    from mcp import types

    async def elicit(context, params):
        return types.ElicitResult(action="accept", content={"name": NAME})

    async def sample(context, params):
        content = types.TextContent(type="text", text=WORD)
        return types.CreateMessageResult(role="assistant", content=content, model="none")

    async def roots(context):
        return types.ListRootsResult(roots=[types.Root(uri=ROOT)])

    return {"elicitation_callback": elicit, "sampling_callback": sample, "list_roots_callback": roots}


def python_sdk_1(connect):
    async def call(url, tools, headers):
        from mcp import ClientSession

        async with connect(url, headers) as streams:
            async with ClientSession(streams[0], streams[1], **answers()) as session:
                await session.initialize()
                return [(await session.call_tool(tool, {})).content[0].text for tool in tools]

    return call


def streamable_http(url, headers):
    from mcp.client.streamable_http import streamablehttp_client

    return streamablehttp_client(url, headers=headers)


def sse(url, headers):
    from mcp.client.sse import sse_client

    return sse_client(url.replace("/mcp", "/sse"), headers=headers)


def python_sdk_2(mode):
    async def call(url, tools, headers):
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client

        transport = streamable_http_client(url, http_client=httpx2.AsyncClient(headers=headers))
        async with Client(transport, mode=mode, **answers()) as client:
            return [(await client.call_tool(tool, {})).content[0].text for tool in tools]

    return call


async def langchain(url, tools, headers):
    from langchain_mcp_adapters.callbacks import Callbacks
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.tools import load_mcp_tools

    elicit = answers()["elicitation_callback"]

    async def on_elicitation(mcp_context, params, context):
        return await elicit(mcp_context, params)

    server = {"transport": "streamable_http", "url": url, "headers": headers}
    client = MultiServerMCPClient({"it": server}, callbacks=Callbacks(on_elicitation=on_elicitation))
    async with client.session("it") as session:
        by_name = {each.name: each for each in await load_mcp_tools(session)}
        return [(await by_name[tool].ainvoke({}))[0]["text"] for tool in tools]


async def smolagents(url, tools, headers):
    from smolagents import MCPClient

    def call():
        server = {"url": url, "transport": "streamable-http", "headers": headers}
        with MCPClient(server, structured_output=False) as listed:
            # It makes identifiers of the names.
            by_name = {each.name.replace("_", "-"): each for each in listed}
            return [by_name[tool]() for tool in tools]

    return await asyncio.to_thread(call)


async def google_adk(url, tools, headers):
    from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams

    said = {key: value for key, value in answers().items() if key != "list_roots_callback"}
    toolset = McpToolset(connection_params=StreamableHTTPConnectionParams(url=url, headers=headers), **said)
    by_name = {each.name: each for each in await toolset.get_tools()}
    results = [await by_name[tool].run_async(args={}, tool_context=None) for tool in tools]
    await toolset.close()
    return [result["content"][0]["text"] for result in results]


async def autogen(url, tools, headers):
    from autogen_ext.tools.mcp import McpWorkbench, StreamableHttpServerParams

    async with McpWorkbench(StreamableHttpServerParams(url=url, headers=headers)) as workbench:
        return [(await workbench.call_tool(tool, {})).result[0].content for tool in tools]


async def mcp_use(url, tools, headers):
    os.environ["MCP_USE_ANONYMIZED_TELEMETRY"] = "false"
    from mcp_use import MCPClient

    client = MCPClient({"mcpServers": {"it": {"url": url, "headers": headers}}}, **answers())
    session = await client.create_session("it")
    texts = [(await session.call_tool(tool, {})).content[0].text for tool in tools]
    await client.close_all_sessions()
    return texts


def fastmcp_answers():
    async def elicit(message, response_type, params, context):
        return {"name": NAME}

    async def sample(messages, params, context):
        return WORD

    return {"elicitation_handler": elicit, "sampling_handler": sample, "roots": [ROOT]}


async def fastmcp(url, tools, headers):
    from fastmcp import Client
    from fastmcp.client.transports import StreamableHttpTransport

    async with Client(StreamableHttpTransport(url, headers=headers), **fastmcp_answers()) as client:
        return [(await client.call_tool(tool, {})).content[0].text for tool in tools]


async def openai_agents(url, tools, headers):
    from agents.mcp import MCPServerStreamableHttp

    async with MCPServerStreamableHttp(params={"url": url, "headers": headers}) as server:
        return [(await server.call_tool(tool, {})).content[0].text for tool in tools]


async def pydantic_ai(url, tools, headers):
    from pydantic_ai.mcp import MCPToolset

    async with MCPToolset(url, headers=headers, **fastmcp_answers()) as toolset:
        return [str(await toolset.direct_call_tool(tool, {})) for tool in tools]


async def strands(url, tools, headers):
    from mcp.client.streamable_http import streamablehttp_client
    from strands.tools.mcp import MCPClient

    def call():
        elicit = answers()["elicitation_callback"]
        with MCPClient(lambda: streamablehttp_client(url, headers=headers), elicitation_callback=elicit) as client:
            results = [client.call_tool_sync(str(i), tool, {}) for i, tool in enumerate(tools)]
            return [result["content"][0]["text"] for result in results]

    return await asyncio.to_thread(call)


async def agno(url, tools, headers):
    from agno.tools.mcp import MCPTools, StreamableHTTPClientParams

    params = StreamableHTTPClientParams(url=url, headers=headers)
    async with MCPTools(transport="streamable-http", server_params=params) as listed:
        return [(await listed.session.call_tool(tool, {})).content[0].text for tool in tools]


CLIENTS = {
    "python-sdk-1": python_sdk_1(streamable_http),
    "python-sdk-1-sse": python_sdk_1(sse),
    "langchain": langchain,
    "smolagents": smolagents,
    "google-adk": google_adk,
    "autogen": autogen,
    "mcp-use": mcp_use,
    "python-sdk-2": python_sdk_2("auto"),
    "python-sdk-2-sessions": python_sdk_2("legacy"),
    "fastmcp": fastmcp,
    "openai-agents": openai_agents,
    "pydantic-ai": pydantic_ai,
    "strands": strands,
    "agno": agno,
}

_, name, address, *called = sys.argv
authorization = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
print(json.dumps(asyncio.run(CLIENTS[name](address, called, authorization))))
