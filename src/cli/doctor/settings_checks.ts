// Judges the settings: secrets, who may reach the gateway, and settings that contradict each other.
import { usesKeyPair } from "../../auth/keys/own_keys.ts";
import { shellWord } from "../../client_config/shell_word.ts";
import type { Loaded } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { sqliteFile } from "../../config/sqlite_file.ts";
import { type Finding, sentence } from "./finding.ts";
import { ofOneRequest, passedOfOneRequest, passesIdentity } from "./gateway/passed_headers.ts";
import { reloadLine, secretLine } from "./remedies/gateway_lines.ts";
import type { SettingsFacts } from "./settings_facts.ts";

/** What the loader says of a secret that can be guessed. */
const GUESSABLE = " can be guessed, ";

export function checkSettings(
  { config, warnings }: Pick<Loaded, "config" | "warnings">,
  facts: SettingsFacts,
): Finding[] {
  return [
    ...checkSecrets(config, facts),
    ...checkExposure(config, facts),
    ...checkCertificate(config, facts),
    ...checkProtections(config, facts),
    ...checkPooling(config),
    ...checkContradictions(config),
    ...warnings.map((warning) => warning.includes(GUESSABLE) ? weakSecret(warning) : ineffective(warning)),
  ];
}

function weakSecret(warning: string): Finding {
  const name = /^[A-Z_]+/.exec(warning)?.[0] ?? "JWT_SECRET_KEY";
  return {
    id: "settings.secret_weak",
    severity: "warning",
    found: sentence(warning),
    why: "Whoever guesses it makes tokens of administrators, or reads stored credentials.",
    fix: secretLine(name),
    remark: "in place of the line that is there",
    page: "tokens#the-key",
  };
}

/** The words of the loader for a setting of ContextForge that this program does not need. */
const NEEDLESS = " has no effect: ";

function ineffective(warning: string): Finding {
  return {
    id: "settings.ineffective",
    severity: warning.includes(NEEDLESS) ? "note" : "warning",
    found: sentence(warning),
    why: "What the environment says is not what the gateway does.",
    fix: "sluice config",
    remark: "shows each value, its source and its effect",
    page: "settings",
  };
}

function checkSecrets(
  config: Config,
  { keyFaults, openFiles, committedFiles, imageFiles }: SettingsFacts,
): Finding[] {
  const { databaseUrl, jwtSecretKey, authEncryptionSecret } = config;
  const isFile = sqliteFile(databaseUrl, "/") !== null;
  const missing = [
    ...(jwtSecretKey === null && !usesKeyPair(config) ? ["JWT_SECRET_KEY"] : []),
    ...(authEncryptionSecret === null ? ["AUTH_ENCRYPTION_SECRET"] : []),
  ];
  return [
    ...(isFile ? [] : missing).map((name): Finding => ({
      id: "settings.secret_missing",
      severity: "error",
      found: `${name} is not set, and the database is PostgreSQL.`,
      why:
        "The gateway does not start: replicas need the same secret, and share no folder that could keep a random one.",
      fix: secretLine(name),
      remark: "one line, the same for every replica",
      page: "replicas",
    })),
    ...keyFaults.map((fault): Finding => ({
      id: "settings.key_pair",
      severity: "error",
      found: sentence(fault),
      why: "The gateway signs and checks tokens with these files.",
      ...keyRemedy(fault, config),
      page: "tokens#a-key-pair",
    })),
    ...openFiles.map(({ path, mode }): Finding => ({
      id: "settings.file_mode",
      severity: "warning",
      found: `${path} has a secret, and other users of this machine can read it (mode ${mode.toString(8)}).`,
      why:
        "Whoever knows JWT_SECRET_KEY makes tokens of administrators; the other secrets open databases and credentials.",
      fix: `chmod 600 ${shellWord(path)}`,
      page: "security#before-others-use-it",
    })),
    ...committedFiles.map((path): Finding => ({
      id: "settings.committed",
      severity: "error",
      found: `${path} has a secret, and a repository of git has this file.`,
      why: "Everybody who has a copy of the repository has the secret, also after the file was removed.",
      fix: `git rm --cached ${shellWord(path)} && echo ${shellWord(path)} >> .gitignore`,
      remark: "and new secrets: the former ones are known. .env.example is for a repository",
      page: "security#before-others-use-it",
    })),
    ...imageFiles.map((path): Finding => ({
      id: "settings.image_secret",
      severity: "warning",
      found: `${path} has a secret, and is a part of the container's own files.`,
      why: "Everybody who can pull the image reads the secret.",
      fix: "docker run --env-file secrets.env",
      remark: "or a mounted file, or a Secret of Kubernetes",
      page: "security#before-others-use-it",
    })),
    ...(jwtSecretKey !== null && jwtSecretKey === authEncryptionSecret
      ? [
        {
          id: "settings.secret_shared",
          severity: "warning",
          found: "JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET are the same.",
          why:
            "Whoever learns the one that signs tokens also opens the stored credentials. Neither can be replaced alone.",
          fix: secretLine("JWT_SECRET_KEY"),
          remark: "in place of the line that is there; users get new tokens",
          page: "tokens#the-key",
        } satisfies Finding,
      ]
      : []),
  ];
}

/** @param fault as `readOwnKeys` words it. A key that exists is never replaced: its tokens would end. */
function keyRemedy(
  fault: string,
  { jwtAlgorithm, jwtPrivateKeyPath: path, jwtPublicKeyPath: publicPath }: Config,
): Pick<Finding, "fix" | "remark"> {
  const [name = "JWT_PRIVATE_KEY_PATH"] = /^JWT_(PRIVATE|PUBLIC)_KEY_PATH\w*/.exec(fault) ?? [];
  const [, close] = /Close it: chmod 600 (.+)$/.exec(fault) ?? [];
  const [, fitting] = /the key is for (\w+)/.exec(fault) ?? [];
  if (close !== undefined) return { fix: `chmod 600 ${shellWord(close)}` };
  if (fitting !== undefined) return { fix: `JWT_ALGORITHM=${fitting}`, remark: "or a key that fits" };
  if (name === "JWT_PUBLIC_KEY_PATH") {
    return {
      fix: `openssl pkey -in ${shellWord(path ?? "")} -pubout -out ${shellWord(publicPath ?? "")}`,
      remark: "or leave JWT_PUBLIC_KEY_PATH out: it follows from the private key",
    };
  }
  if (name === "JWT_PRIVATE_KEY_PATH" && path !== null && fault.includes("there is no such file")) {
    return {
      fix: `openssl genpkey ${keyOptions(jwtAlgorithm)} -out ${shellWord(path)} && chmod 600 ${
        shellWord(path)
      }`,
      remark: "or the key of the tokens that are in use",
    };
  }
  return { fix: `${name}=/etc/sluice/key.pem`, remark: "a PEM file that the gateway's user can read" };
}

/** Of `openssl genpkey`, for a key that fits the algorithm. */
function keyOptions(algorithm: string): string {
  const curve = { ES256: "P-256", ES384: "P-384", ES512: "P-521" }[algorithm];
  if (curve !== undefined) return `-algorithm EC -pkeyopt ec_paramgen_curve:${curve}`;
  return algorithm === "EdDSA" ? "-algorithm ed25519" : "-algorithm RSA -pkeyopt rsa_keygen_bits:3072";
}

function checkExposure(config: Config, { reach }: SettingsFacts): Finding[] {
  const { host, authRequired, ssl, trustedProxyNetworks } = config;
  if (reach === "machine") return [];
  const findings: Finding[] = [];
  if (!authRequired) {
    findings.push({
      id: "settings.anonymous",
      severity: "error",
      found: `AUTH_REQUIRED is false, and HOST=${host} takes connections of other machines.`,
      why:
        "Everybody who reaches the port lists and calls all public tools, with the credentials of the upstreams.",
      fix: "AUTH_REQUIRED=true",
      remark: "or HOST=127.0.0.1",
      page: "security#defaults",
    });
  }
  const hasProxy = trustedProxyNetworks.some((network) => !/^(127\.|::1)/.test(network));
  if (!ssl && !hasProxy) {
    findings.push({
      id: "settings.no_tls",
      // On a private network, a container's port for example, TLS may end elsewhere.
      severity: reach === "world" ? "warning" : "note",
      found: `HOST=${host} takes connections of other machines ${
        reach === "world" ? "at a public address " : ""
      }without TLS.`,
      why: "Tokens and answers can be read on their way to clients that use this port without a proxy.",
      fix: "HOST=127.0.0.1",
      remark: "with a proxy on this machine; or SSL=true with CERT_FILE and KEY_FILE",
      page: "network",
    });
  }
  return findings;
}

function checkCertificate(
  { keyFile, port }: Config,
  { certificate: { fault, expiry }, keyFileMode }: SettingsFacts,
): Finding[] {
  const open: Finding[] = keyFileMode === null ? [] : [{
    id: "settings.key_file_mode",
    severity: "warning",
    found: `KEY_FILE ${keyFile} can be read by every user of this machine (mode ${keyFileMode.toString(8)}).`,
    why: "Whoever has the key poses as the gateway, and gets the tokens of its clients.",
    fix: `chmod 600 ${shellWord(keyFile!)}`,
    page: "network#serve-https",
  }];
  const found = fault ?? expiry;
  if (found === null) return open;
  return [...open, {
    id: "settings.certificate",
    severity: fault !== null || found.includes("has expired") ? "error" : "warning",
    found: sentence(found),
    ...(fault === null
      ? {
        why: "Clients refuse an expired certificate.",
        fix: reloadLine(port),
        remark:
          "after the files of CERT_FILE and KEY_FILE have been replaced; a gateway that does not run needs no signal",
      }
      : {
        why: "The gateway does not start without it.",
        fix: "CERT_FILE=/etc/sluice/chain.pem",
        remark: "and KEY_FILE: two files that belong together, and that the gateway's user can read",
      }),
    page: "network#serve-https",
  }];
}

function checkProtections(config: Config, { isRoot }: SettingsFacts): Finding[] {
  const findings: Finding[] = [];
  if (config.devMode) {
    findings.push({
      id: "settings.dev_mode",
      severity: "warning",
      found: "DEV_MODE is true.",
      why: "Workers restart when a source file changes, which ends the calls and processes that they serve.",
      fix: "DEV_MODE=false",
      page: "settings#workers",
    });
  }
  if (config.logLevel === "DEBUG") {
    findings.push({
      id: "settings.log_level",
      severity: "note",
      found: "LOG_LEVEL is DEBUG.",
      why: "Each refused request writes a line: any client that reaches the port makes the log grow.",
      fix: "LOG_LEVEL=INFO",
      remark: "after the tests that it was set for",
      page: "logs",
    });
  }
  if (!config.ssrfProtectionEnabled) {
    findings.push({
      id: "settings.egress",
      severity: "warning",
      found: "SSRF_PROTECTION_ENABLED is false.",
      why:
        "Whoever registers an upstream reaches every service of this machine and its networks through the gateway.",
      fix: "SSRF_PROTECTION_ENABLED=true",
      remark: "and the networks of upstreams in SSRF_ALLOWED_NETWORKS",
      page: "network#which-upstream-addresses-are-allowed",
    });
  }
  if (config.stdioEnabled && config.stdioUser === null && isRoot) {
    findings.push({
      id: "settings.stdio_root",
      severity: "warning",
      found: "STDIO_ENABLED is true without STDIO_USER, and this user is root.",
      why: "Programs of upstreams run as the gateway's user: as root they can read and change everything.",
      fix: "STDIO_USER=nobody",
      remark: "or a user of its own",
      page: "security#programs-of-upstreams-stdio",
    });
  }
  return findings;
}

/** Pooled upstream sessions serve one identity each. */
function checkPooling(config: Config): Finding[] {
  const { mcpSessionPoolEnabled, authRequired, defaultPassthroughHeaders } = config;
  if (!mcpSessionPoolEnabled) return [];
  const findings: Finding[] = [];
  if (!authRequired && !passesIdentity(config)) {
    findings.push({
      id: "settings.anonymous_pool",
      severity: "warning",
      found: "MCP_SESSION_POOL_ENABLED is true, and AUTH_REQUIRED is false.",
      why:
        "Calls without a token and identity headers are one caller: they share upstream sessions and their state.",
      fix: "AUTH_REQUIRED=true",
      remark:
        "or ENABLE_HEADER_PASSTHROUGH=true with DEFAULT_PASSTHROUGH_HEADERS=X-User-ID, if a proxy in front sets this header; or upstreams that keep no state",
      page: "upstreams#whose-calls-share-state",
    });
  }
  const without = (names: readonly string[], left: readonly string[]) =>
    JSON.stringify(names.filter((name) => !left.includes(name)));
  const passed = passedOfOneRequest(defaultPassthroughHeaders, config);
  if (passed.length > 0) {
    findings.push({
      id: "settings.tracing_pool",
      severity: "warning",
      found: `DEFAULT_PASSTHROUGH_HEADERS has ${passed.join(", ")}, and MCP_SESSION_POOL_ENABLED is true.`,
      why:
        "A pooled session serves calls with the same passed headers alone: with these, each call opens a session.",
      fix: `DEFAULT_PASSTHROUGH_HEADERS=${without(defaultPassthroughHeaders, passed)}`,
      page: "upstreams#whose-calls-share-state",
    });
  }
  const identities = config.mcpSessionPoolIdentityHeaders;
  const unstable = ofOneRequest(identities);
  if (unstable.length > 0) {
    findings.push({
      id: "settings.unstable_identity",
      severity: "warning",
      found: `MCP_SESSION_POOL_IDENTITY_HEADERS has ${
        unstable.join(", ")
      }, whose value differs in every call.`,
      why: "Each call counts as a caller of its own, and opens a session.",
      fix: `MCP_SESSION_POOL_IDENTITY_HEADERS=${without(identities, unstable)}`,
      page: "upstreams#whose-calls-share-state",
    });
  }
  return findings;
}

function checkContradictions(config: Config): Finding[] {
  const { workerMaxHeapMb, maxClientMemoryMb, backpressure, maxCallsPerCaller, cacheType, databaseUrl } =
    config;
  const findings: Finding[] = [];
  const add = (found: string, why: string, fix: string, page: Finding["page"]) =>
    findings.push({ id: "settings.contradiction", severity: "warning", found, why, fix, page });
  if (workerMaxHeapMb > 0 && 2 * maxClientMemoryMb > workerMaxHeapMb) {
    add(
      `MAX_CLIENT_MEMORY_MB=${maxClientMemoryMb} is above half of WORKER_MAX_HEAP_MB=${workerMaxHeapMb}.`,
      "A worker nears its heap limit and is replaced before clients get the answer that they keep too much.",
      `WORKER_MAX_HEAP_MB=${2 * maxClientMemoryMb}`,
      "sizing#settings-that-follow",
    );
  }
  if (backpressure !== "auto" && maxCallsPerCaller > backpressure) {
    add(
      `MAX_CALLS_PER_CALLER=${maxCallsPerCaller} is above BACKPRESSURE=${backpressure}.`,
      "One caller can take all places of a worker, and everybody else gets 503.",
      `MAX_CALLS_PER_CALLER=${Math.max(1, Math.floor(backpressure / 2))}`,
      "sizing#settings-that-follow",
    );
  }
  if (config.pollIntervalMs > config.maxIntervalMs) {
    add(
      `POLL_INTERVAL=${config.pollIntervalMs / 1000} is above MAX_INTERVAL=${config.maxIntervalMs / 1000}.`,
      "The first is the shortest time between two looks at the database, and the second the longest.",
      `MAX_INTERVAL=${config.pollIntervalMs / 1000}`,
      "settings#cache-and-redis",
    );
  }
  if ((cacheType === "memory" || cacheType === "none") && sqliteFile(databaseUrl, "/") === null) {
    add(
      `CACHE_TYPE is ${cacheType}, and the database is PostgreSQL.`,
      "Replicas and workers share no session records: a session is lost with its worker.",
      "CACHE_TYPE=database",
      "replicas#what-is-where",
    );
  }
  return findings;
}
