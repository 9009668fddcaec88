"""Logs in to a gateway with the official SDK: oauth_client.py URL REDIRECT_URI.

Prints the address for the browser, reads the address that the browser comes back to, and prints the names of the tools.
"""

import asyncio
import sys
from urllib.parse import parse_qs, urlparse

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata


class Storage:
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def redirect(url):
    print(url, flush=True)


async def callback():
    line = await asyncio.to_thread(sys.stdin.readline)
    query = parse_qs(urlparse(line.strip()).query)
    return AuthorizationCodeResult(
        code=query["code"][0], state=query["state"][0], iss=query.get("iss", [None])[0]
    )


async def main(url, redirect_uri):
    provider = OAuthClientProvider(
        url,
        OAuthClientMetadata(client_name="Python", redirect_uris=[redirect_uri]),
        Storage(),
        redirect_handler=redirect,
        callback_handler=callback,
    )
    async with httpx2.AsyncClient(auth=provider) as http:
        async with streamable_http_client(url, http_client=http) as streams:
            async with ClientSession(*streams[:2]) as session:
                await session.initialize()
                tools = await session.list_tools()
                print(" ".join(tool.name for tool in tools.tools), flush=True)


asyncio.run(main(*sys.argv[1:]))
