// `deno task release`: what a release offers to download, in a folder.
//
//   deno task release --source URL [--output DIR] [--targets TRIPLE,…] [--allow-dirty]
//
// URL is the address of the repository, as the statements name it.
//
// - `sluice-VERSION-TRIPLE.tar.gz` for each target: the executable, LICENSE, and the licences of Deno and the packages inside
// - `sluice-VERSION.cdx.json`: the bill of materials, in CycloneDX
// - `sluice-VERSION.provenance.json`: what was built from what, an in-toto statement with SLSA's predicate. It is not signed.
// - `SHA256SUMS`: of all of these, for `sha256sum --check`
//
// The runtime of each target is downloaded by Deno, unless it is in Deno's cache.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { parseArgs } from "@std/cli/parse-args";
import { VERSION } from "../src/version.ts";
import { bundle, type Embedded } from "./bundle.ts";
import { compile, fromCaller, licenseTexts, runtimeInside } from "./executable.ts";
import { gitCommit } from "./git_commit.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** As `deno compile --target` takes them. */
const TARGETS: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

/** What this script reads of deno.lock. */
interface Lock {
  /** By `name@version`, with the versions of its peers behind that where there are any. */
  readonly npm: Readonly<Record<string, { readonly integrity?: string }>>;
}

/** A file of the release. */
interface Artefact {
  readonly name: string;
  readonly sha256: string;
}

/** What is released. */
interface Release {
  /** The address of the repository. */
  readonly source: string;
  /** The whole hash of the commit; null: the files differ from it. */
  readonly commit: string | null;
  readonly targets: readonly string[];
}

async function release(folder: string, { source, commit, targets }: Release): Promise<void> {
  const startedOn = new Date().toISOString();
  await Deno.mkdir(folder, { recursive: true });
  const program = await Deno.makeTempDir();
  try {
    const runtime = await runtimeInside();
    const packages = await bundle(program);
    const artefacts: Artefact[] = [];
    for (const target of targets) {
      artefacts.push(await archive(folder, program, target, [runtime, ...packages]));
    }
    const materials = await write(
      folder,
      `sluice-${VERSION}.cdx.json`,
      billOfMaterials(packages, { source, commit, runtime }),
    );
    const provenance = await provenanceOf(artefacts, { source, commit, targets, runtime, startedOn });
    const statement = await write(folder, `sluice-${VERSION}.provenance.json`, provenance);
    const sums = [...artefacts, materials, statement].map(({ name, sha256 }) => `${sha256}  ${name}\n`);
    await Deno.writeTextFile(`${folder}/SHA256SUMS`, sums.join(""));
  } finally {
    await Deno.remove(program, { recursive: true });
  }
}

/** @throws {Error} if the executable cannot be compiled */
async function archive(
  folder: string,
  program: string,
  target: string,
  inside: readonly Embedded[],
): Promise<Artefact> {
  const content = await Deno.makeTempDir();
  try {
    const file = target.includes("windows") ? "sluice.exe" : "sluice";
    const code = await compile({ program, output: `${content}/${file}`, without: [], target });
    if (code !== 0) throw new Error(`deno compile failed for ${target}`);
    await Deno.writeTextFile(`${content}/licenses.txt`, licenseTexts(inside));
    await Deno.copyFile(`${ROOT}LICENSE`, `${content}/LICENSE`);
    const name = `sluice-${VERSION}-${target}.tar.gz`;
    await run("tar", ["--create", "--gzip", "--file", `${folder}/${name}`, "--directory", content, "."]);
    return { name, sha256: await sha256Of(`${folder}/${name}`) };
  } finally {
    await Deno.remove(content, { recursive: true });
  }
}

/** CycloneDX 1.6: https://cyclonedx.org/docs/1.6/json/ */
function billOfMaterials(
  packages: readonly Embedded[],
  { source, commit, runtime }: Pick<Built, "source" | "commit" | "runtime">,
): unknown {
  const { npm: integrities }: Lock = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.lock`));
  const components = packages.map(({ name, version, license }) => {
    const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
    const key = Object.keys(integrities).find((key) =>
      key === `${name}@${version}` || key.startsWith(`${name}@${version}_`)
    );
    const [, sha512] = /^sha512-(.*)$/.exec(integrities[key ?? ""]?.integrity ?? "") ?? [];
    return {
      ...{ type: "library", "bom-ref": purl, name, version, purl },
      licenses: [{ expression: license }],
      ...sha512 === undefined ? {} : {
        hashes: [{ alg: "SHA-512", content: Buffer.from(sha512, "base64").toString("hex") }],
      },
    };
  });
  const at = commit === null ? "" : `%40${commit}`;
  const purl = `pkg:generic/sluice@${VERSION}?vcs_url=git%2B${encodeURIComponent(source)}${at}`;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${crypto.randomUUID()}`,
    version: 1,
    metadata: {
      timestamp: new Date().toISOString(),
      component: { type: "application", "bom-ref": purl, name: "sluice", version: VERSION, purl },
    },
    components: [
      {
        ...{ type: "platform", "bom-ref": `pkg:generic/deno@${runtime.version}`, name: "deno" },
        ...{ version: runtime.version, licenses: [{ license: { id: runtime.license } }] },
      },
      ...components,
    ],
    dependencies: [{ ref: purl, dependsOn: components.map((component) => component["bom-ref"]) }],
  };
}

interface Built extends Release {
  /** Deno. */
  readonly runtime: Embedded;
  readonly startedOn: string;
}

/** in-toto: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. SLSA: https://slsa.dev/spec/v1.1/provenance */
async function provenanceOf(
  artefacts: readonly Artefact[],
  { source, commit, targets, runtime, startedOn }: Built,
) {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: artefacts.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: `${source}/blob/main/scripts/release.ts`,
        externalParameters: { targets },
        resolvedDependencies: [
          { uri: `git+${source}`, ...commit === null ? {} : { digest: { gitCommit: commit } } },
          { name: "deno.lock", digest: { sha256: await sha256Of(`${ROOT}deno.lock`) } },
          { uri: `pkg:generic/deno@${runtime.version}` },
        ],
      },
      runDetails: {
        builder: { id: `${source}/blob/main/scripts/release.ts` },
        metadata: { startedOn, finishedOn: new Date().toISOString() },
      },
    },
  };
}

async function write(folder: string, name: string, content: unknown): Promise<Artefact> {
  await Deno.writeTextFile(`${folder}/${name}`, `${JSON.stringify(content, null, 2)}\n`);
  return { name, sha256: await sha256Of(`${folder}/${name}`) };
}

async function sha256Of(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

/** @returns what it prints. @throws {Error} if it fails */
async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program} failed: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

const USAGE = "Usage: deno task release --source URL [--output DIR] [--targets TRIPLE,…] [--allow-dirty]\n" +
  `Targets: ${TARGETS.join(" ")}`;

const { source, output, targets: wanted, "allow-dirty": allowDirty, _: rest, ...unknown } = parseArgs(
  Deno.args,
  {
    string: ["source", "output", "targets"],
    boolean: ["allow-dirty"],
    default: { output: "dist", targets: TARGETS.join(",") },
  },
);
const targets = wanted.split(",");
if (
  source === undefined || !URL.canParse(source) || rest.length > 0 || Object.keys(unknown).length > 0 ||
  targets.some((target: string) => !TARGETS.includes(target))
) {
  console.error(USAGE);
  Deno.exit(2);
}
const isCommitted = /^[0-9a-f]+$/.test(await gitCommit() ?? "");
if (!isCommitted && !allowDirty) {
  console.error(
    "A release is built from a commit: commit or stash what differs from it, or give --allow-dirty to try.",
  );
  Deno.exit(1);
}
const commit = isCommitted ? (await run("git", ["-C", ROOT, "rev-parse", "HEAD"])).trim() : null;
await release(fromCaller(output), { source, commit, targets });
