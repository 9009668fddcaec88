// TLS to a real PostgreSQL, as sslmode in DATABASE_URL asks for it.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SluiceError } from "../../src/base/errors.ts";
import { sql } from "../../src/store/sql/sql.ts";
import { makeCertificates } from "../support/postgres_certificates.ts";
import { PostgresServer } from "../support/postgres.ts";
import { open } from "../support/postgres_database.ts";
import { canLeaveOut } from "../support/programs.ts";

Deno.test({
  name: "PostgreSQL: sslmode decides whether there is TLS, and whom it trusts",
  ignore: canLeaveOut("initdb"),
  fn: async (t) => {
    const certificates = await makeCertificates();
    await using server = await PostgresServer.start({ tls: certificates });
    const name = await server.takeDatabase();
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/ca.pem`, certificates.ca);
    await Deno.writeTextFile(`${folder}/other.pem`, (await makeCertificates()).ca);
    const url = (query: string, host = "127.0.0.1") => server.url(name, { query }).replace("127.0.0.1", host);

    const cases: [query: string, host: string, usesTls: boolean][] = [
      ["", "127.0.0.1", true],
      ["?sslmode=disable", "127.0.0.1", false],
      ["?sslmode=require", "127.0.0.1", true],
      [`?sslmode=verify-full&sslrootcert=${folder}/ca.pem`, "localhost", true],
      [`?sslmode=verify-full&sslrootcert=${folder}/ca.pem`, "127.0.0.1", true],
    ];
    for (const [query, host, usesTls] of cases) {
      await t.step(`${host} ${query.replace(folder, "")}`, async () => {
        const database = await open(url(query, host));
        const rows = await database.query(sql`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`);
        assertEquals(rows, [{ ssl: usesTls }]);
        // Larger than what one TLS record holds.
        const [{ text }] = await database.query<{ text: string }>(sql`SELECT repeat('x', 100000) AS text`);
        assertEquals(text.length, 100_000);
        await server.endConnections(name);
        assertEquals(await database.query(sql`SELECT 1 AS x`), [{ x: 1 }]);
        await database.close();
      });
    }

    await t.step("a certificate of somebody else is refused at once", async () => {
      for (const query of ["?sslmode=verify-full", `?sslmode=verify-ca&sslrootcert=${folder}/other.pem`]) {
        const error: SluiceError = await assertRejects(
          () => open(url(query, "localhost"), { DB_MAX_RETRIES: "5" }),
          SluiceError,
        );
        assertEquals(error.code, "STORE_CANNOT_OPEN");
        assertStringIncludes(error.message.toLowerCase(), "certificate");
        assert(!error.message.includes("tried"), error.message);
      }
    });
    await Deno.remove(folder, { recursive: true });
  },
});
