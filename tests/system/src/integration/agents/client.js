// Calls every tool of `PROGRAM mcp --cache-dir CACHE` with the official client for JavaScript, and prints what came of it.
const load = (name) => {
  try {
    return require(`@modelcontextprotocol/sdk/client/${name}.js`);
  } catch {
    process.exit(77);
  }
};
const { Client } = load("index");
const { StdioClientTransport } = load("stdio");

(async () => {
  const [program, cache, given] = process.argv.slice(1);
  const client = new Client({ name: "fleet-cache-check", version: "1" });
  await client.connect(new StdioClientTransport({ command: program, args: ["mcp", "--cache-dir", cache] }));
  const { tools } = await client.listTools();
  const results = {};
  for (const { name } of tools) {
    // Throws if the answer does not fit the schema of the tool.
    const result = await client.callTool({ name, arguments: JSON.parse(given)[name] });
    if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
    results[name] = result.structuredContent;
  }
  const unknown = await client.callTool({ name: "none", arguments: {} }).then(() => false, (error) => error.code === -32602);
  await client.close();
  console.log(JSON.stringify({ client: "@modelcontextprotocol/sdk", results, unknown }));
})();
