// Databases that the real ContextForge has made, as SQL text: for the quick run, which has no Python.
import { DatabaseSync } from "node:sqlite";
import { CREDENTIALS, type Made, type Upstreams } from "./contextforge_program.ts";

export type FixtureVersion = "1_0_7" | "1_0_0rc1";

const FOLDER = new URL("../fixtures/", import.meta.url).pathname;

/** Tables that an import reads, or counts. */
const TABLES = [
  ...[
    "alembic_version",
    "email_users",
    "email_teams",
    "email_team_members",
    "roles",
    "user_roles",
    "gateways",
  ],
  ...["tools", "resources", "prompts", "servers", "server_tool_association", "server_resource_association"],
  ...["server_prompt_association", "server_a2a_association", "email_api_tokens", "token_revocations"],
  ...["global_config", "a2a_agents"],
];

/** What ContextForge's users have made, and what it answers them (moved_organisation.ts). */
export interface Fixture {
  readonly made: Made;
  readonly answers: Record<string, unknown>;
  /** The answer to GET /export. */
  readonly exported: Record<string, unknown>;
}

/** The text of the tables of a database file, with the names of the upstreams in place of their ports. */
export function dump(path: string, fixture: Fixture, upstreams: Upstreams): string {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const lines = TABLES.flatMap((table) => {
      const { sql } = database.prepare("SELECT sql FROM sqlite_master WHERE name = ?").get(table)!;
      const rows = database.prepare(`SELECT * FROM ${table}`).all();
      return [`${sql};`, ...rows.map((row) => insertOf(table, row))];
    });
    let text = [`-- ${JSON.stringify(fixture)}`, ...lines, ""].join("\n");
    for (const [name, { port }] of Object.entries(upstreams)) {
      text = text.replaceAll(`:${port}/`, `:{${name}}/`);
    }
    return text;
  } finally {
    database.close();
  }
}

/** Makes a file of a dump, with the ports of these upstreams. */
export async function loadFixture(
  version: FixtureVersion,
  path: string,
  upstreams: Upstreams,
): Promise<Fixture> {
  let text = await Deno.readTextFile(`${FOLDER}contextforge_${version}.sql`);
  for (const name of Object.keys(CREDENTIALS) as (keyof Upstreams)[]) {
    text = text.replaceAll(`:{${name}}/`, `:${upstreams[name].port}/`);
  }
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  try {
    database.exec(`BEGIN; ${text} COMMIT;`);
  } finally {
    database.close();
  }
  return JSON.parse(text.slice("-- ".length, text.indexOf("\n")));
}

function insertOf(table: string, row: Record<string, unknown>): string {
  const values = Object.values(row).map((value) => {
    if (value === null) return "NULL";
    if (value instanceof Uint8Array) return `X'${value.toHex()}'`;
    return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
  });
  return `INSERT INTO ${table} (${Object.keys(row).join(", ")}) VALUES (${values.join(", ")});`;
}
