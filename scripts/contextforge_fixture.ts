// Makes tests/fixtures/contextforge_VERSION.sql with the real ContextForge from PyPI:
//
//   python3 -m venv /tmp/cf && /tmp/cf/bin/pip install mcp-contextforge-gateway==1.0.7.post20260921
//   deno run -A scripts/contextforge_fixture.ts /tmp/cf/bin/python 1_0_7
//
// Of 1.0.0rc1 the packages are `mcp-contextforge-gateway==1.0.0rc1` and `mcp<1.27`.
import { ADMIN, ContextForge, populate } from "../tests/support/contextforge_program.ts";
import { dump } from "../tests/support/contextforge_fixture.ts";
import { answersOf, OrganisationUpstreams } from "../tests/support/moved_organisation.ts";

const [python, version] = Deno.args;
const cwd = await Deno.makeTempDir();
await using upstreams = new OrganisationUpstreams();
const path = `${cwd}/mcp.db`;
const program = await ContextForge.start({ python: python!, cwd, databaseUrl: `sqlite:///${path}` });
const made = await populate(program, upstreams.all);
const answers = await answersOf(program.ask, made);
const exported = await program.done(
  "GET",
  "/export?include_inactive=true",
  undefined,
  await program.login(ADMIN),
);
await program[Symbol.asyncDispose]();
const folder = new URL("../tests/fixtures/", import.meta.url).pathname;
await Deno.writeTextFile(
  `${folder}contextforge_${version}.sql`,
  dump(path, { made, answers, exported }, upstreams.all),
);
await Deno.remove(cwd, { recursive: true });
