// PostgreSQL, PgBouncer and Redis for the tests of a file: the run's, or where the file runs by itself, the file's until its end.
import { type OwnServers, type Servers, serversOfRun, startServers } from "./cluster_servers.ts";

let own: Promise<OwnServers> | undefined;
Deno.test.afterAll(async () => await (await own)?.[Symbol.asyncDispose]());

/** Nobody may stop them, and every test takes a database, and a key prefix, of its own. */
export async function sharedServers(): Promise<Servers> {
  return serversOfRun() ?? await (own ??= startServers());
}
