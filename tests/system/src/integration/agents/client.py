# Calls every tool of `PROGRAM mcp --cache-dir CACHE` with the official client for Python, and prints what came of it.
import asyncio
import json
import sys

try:
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
except ImportError:
    sys.exit(77)


def field(result, *names):
    told = result.model_dump(mode="json")
    return next((told[name] for name in names if name in told), None)


async def main(program, cache, given):
    server = StdioServerParameters(command=program, args=["mcp", "--cache-dir", cache])
    async with stdio_client(server) as (reader, writer), ClientSession(reader, writer) as session:
        about = await session.initialize()
        results = {}
        for tool in (await session.list_tools()).tools:
            # Raises if the answer does not fit the schema of the tool.
            result = await session.call_tool(tool.name, json.loads(given)[tool.name])
            if field(result, "isError", "is_error"):
                raise RuntimeError(f"{tool.name}: {result.content[0].text}")
            results[tool.name] = field(result, "structuredContent", "structured_content")
        try:
            unknown = bool(field(await session.call_tool("none", {}), "isError", "is_error"))
        except Exception as error:
            unknown = "unknown tool" in str(error)
    protocol = field(about, "protocolVersion", "protocol_version")
    print(json.dumps({"client": "mcp", "protocol": protocol, "results": results, "unknown": unknown}))


asyncio.run(main(*sys.argv[1:]))
