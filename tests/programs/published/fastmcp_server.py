"""A FastMCP server below a path of another application, as people mount them: fastmcp_server.py PORT. Its endpoint is /mcp/, and
/mcp leads there by a redirect."""

import sys

import uvicorn
from fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.routing import Mount

mcp = FastMCP("mounted", instructions="Adds and shows files.")


@mcp.tool
def add(a: int, b: float = 1.0) -> float:
    """Adds two numbers."""
    return a + b


@mcp.tool
def fail() -> str:
    """Fails."""
    raise ValueError("the disk is full")


@mcp.resource("files://{path*}")
def file(path: str) -> str:
    """A file of any folder."""
    return f"content of {path}"


@mcp.resource("config://settings", mime_type="application/json")
def settings() -> str:
    """All settings."""
    return '{"depth": 1.0}'


@mcp.prompt
def review(code: str) -> str:
    """Reviews code."""
    return f"Review this:\n{code}"


inner = mcp.http_app(path="/")
app = Starlette(routes=[Mount("/mcp", app=inner)], lifespan=inner.lifespan)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
