// The pages under /admin with nothing, a few entries and thousands of them: they fit into a phone, a tablet and a desk.
import { assertEquals } from "@std/assert";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";

/** Names and texts as upstreams write them: short, and longer than a phone is wide. */
const entriesOf = (size: number) =>
  Array.from({ length: size }, (_, i) => ({
    name: i % 3 === 1 ? `${"a_name_without_any_space_".repeat(3)}${i}` : `tool_${i}`,
    description: i % 2 === 0
      ? "Short."
      : "Says at length what it does, when to use it, and what comes back. ".repeat(8),
    uri: `file:///${"a/long/path/".repeat(i % 3 === 1 ? 10 : 1)}${i}`,
    inputSchema: { type: "object" },
  }));

Deno.test({
  name: "Pages fit with 0, 3 and 5,000 entries",
  ignore: canLeaveOut("chromium"),
  fn: async () => {
    await using upstream = new ListingUpstream();
    await using sluice = await Sluice.start({
      env: { DISABLE_ACCESS_LOG: "false", AUDIT_TRAIL_ENABLED: "true", VALIDATION_MAX_NAME_LENGTH: "255" },
    });
    await using browser = await UiBrowser.start(sluice.url);
    await browser.signInWith(await sluice.token());
    let id: string | null = null;
    for (const size of [0, 3, 5_000]) {
      const entries = entriesOf(size);
      upstream.tools = entries;
      upstream.result("resources/list", { resources: entries });
      upstream.result("prompts/list", { prompts: entries });
      if (size > 0 && id === null) ({ id } = await sluice.registerUpstream("many", upstream.url));
      else if (id !== null) {
        const all = "include_resources=true&include_prompts=true";
        await sluice.api("POST", `/gateways/${id}/tools/refresh?${all}`);
      }
      const pages = [
        ...[
          "",
          "upstreams",
          "tools",
          "resources",
          "prompts",
          "virtual-servers",
          "virtual-servers/new",
          "held",
        ],
        ...["tokens", "users", "teams", "roles", "doctor", "logs", "settings", "audit"],
        ...(id === null ? [] : [`upstreams/${id}`]),
      ];
      for (const path of pages) {
        // What does not change with the entries is looked at once.
        if (size > 3 && /^(held|tokens|users|teams|roles|settings)$/.test(path)) continue;
        await browser.open(path);
        await browser.measure(`${path || "overview"}_with_${size}`);
      }
    }
    const { body: { data: [longest] } } = await sluice.api("GET", "/admin/tools?q=without&per_page=1");
    await browser.open(`tools/${longest.id}`);
    await browser.look();
    await browser.open("tools?q=length");
    await browser.look();
    assertEquals(browser.faults, []);
  },
});
