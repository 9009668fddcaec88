// This gateway, from source or as an executable.
import { gitCommit } from "../../scripts/git_commit.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { benchLane, mcpLanes, type Peer, WORKERS } from "./peer.ts";

/** @param program the executable; undefined: from source */
export async function sluicePeer(program: string | undefined): Promise<Peer> {
  const commit = await gitCommit() ?? "unknown commit";
  return {
    name: "Sluice",
    installation: null,
    version: () => `${commit}, ${program === undefined ? "from source" : "executable"}`,
    settings: `WORKERS=${WORKERS}, SQLite, authenticated by JWT; all else by default`,
    start: async ({ upstreamUrl, stack }) => {
      const begun = performance.now();
      const sluice = stack.use(
        await Sluice.start({ program, env: { WORKERS: String(WORKERS), LOG_LEVEL: "WARNING" } }),
      );
      const coldStartMs = performance.now() - begun;
      await sluice.registerUpstream("time", upstreamUrl);
      const token = ["--token", await sluice.token()];
      const tool = "time-convert-time";
      return {
        roots: [sluice.pid],
        coldStartMs,
        lanes: [
          benchLane("/rpc", `${sluice.url}/rpc`, tool, token),
          ...mcpLanes(`${sluice.url}/mcp`, tool, token),
          benchLane("/mcp, 2026-07-28", `${sluice.url}/mcp`, tool, [...token, "--protocol", "2026-07-28"]),
        ],
      };
    },
  };
}
