import { assertEquals } from "@std/assert";
import type { Rest } from "../call/rest.ts";
import { MOST_FOUND } from "../parts/search_list.tsx";
import { findSharedTeams } from "./place_search.ts";

Deno.test("findSharedTeams() counts the teams that it does not show, without the personal team of the viewer", async () => {
  const named = (name: string) => ({ id: name, name });
  const shared = Array.from({ length: MOST_FOUND + 2 }, (_, i) => named(`team ${i}`));
  const rest = {
    find: (path: string) => {
      const { searchParams: asked } = new URL(path, "http://h");
      const all = asked.get("include_personal") === "false" ? shared : [...shared, named("Zoe's team")];
      return Promise.resolve({ teams: all.slice(0, Number(asked.get("limit"))), total: all.length });
    },
  } as unknown as Rest;
  const { found, more } = await findSharedTeams(rest, "team");
  assertEquals([found.length, more], [MOST_FOUND, 2]);
});
