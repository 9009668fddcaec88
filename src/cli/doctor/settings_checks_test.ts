import { assertEquals } from "@std/assert";
import { loadConfig } from "../../config/load.ts";
import { listenAddresses, reachOf } from "./address_reach.ts";
import { checkSettings } from "./settings_checks.ts";
import { isContainerRoot, type SettingsFacts } from "./settings_facts.ts";
import { checkMistakes } from "./settings_mistakes.ts";

const WELL: SettingsFacts = {
  reach: "machine",
  isRoot: true,
  openFiles: [],
  committedFiles: [],
  imageFiles: [],
  keyFaults: [],
  certificate: { fault: null, expiry: null },
  keyFileMode: null,
};
const SECRET = "pX2mV7qLr9TzKd4WnYb8HsGc3FjE6aUh";
const OTHER_SECRET = "Rk8wQz3NvT6yBm1XcJ5pLh9SdG2fUe7A";
const RELOAD = "kill -HUP $(ss -Hltnp 'sport = :4444' | sed 's/.*pid=\\([0-9]*\\).*/\\1/;q')";
const POSTGRES = { DATABASE_URL: "postgresql://a:b@db/mcp" };

/** Severity, id and remedy of each finding. */
function found(environment: Record<string, string>, facts: Partial<SettingsFacts> = {}): string[] {
  const loaded = loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 });
  return checkSettings(loaded, { ...WELL, ...facts }).map(({ severity, id, fix }) =>
    `${severity} ${id} ${fix}`
  );
}

Deno.test("checkSettings() finds nothing in the defaults, nor in PostgreSQL with its secrets", () => {
  assertEquals(found({}), []);
  assertEquals(found({ ...POSTGRES, JWT_SECRET_KEY: SECRET, AUTH_ENCRYPTION_SECRET: OTHER_SECRET }), []);
});

Deno.test("checkSettings() finds what each setting or file does wrong", () => {
  const cases: [environment: Record<string, string>, facts: Partial<SettingsFacts>, findings: string[]][] = [
    [{ ...POSTGRES, JWT_SECRET_KEY: SECRET }, {}, [
      "error settings.secret_missing printf '\\n%s\\n' \"AUTH_ENCRYPTION_SECRET=$(openssl rand -base64 48)\" >> .env",
    ]],
    [{ JWT_SECRET_KEY: "correct-horse-battery-staple-correct-horse" }, {}, [
      "warning settings.secret_weak printf '\\n%s\\n' \"JWT_SECRET_KEY=$(openssl rand -base64 48)\" >> .env",
    ]],
    [{}, { openFiles: [{ path: ".env", mode: 0o644 }] }, ["warning settings.file_mode chmod 600 .env"]],
    [{}, { openFiles: [{ path: "/my files/.env", mode: 0o644 }] }, [
      "warning settings.file_mode chmod 600 '/my files/.env'",
    ]],
    [{}, { committedFiles: [".env"] }, [
      "error settings.committed git rm --cached .env && echo .env >> .gitignore",
    ]],
    [{}, { imageFiles: [".env"] }, ["warning settings.image_secret docker run --env-file secrets.env"]],
    [{ JWT_SECRET_KEY: SECRET, AUTH_ENCRYPTION_SECRET: SECRET }, {}, [
      "warning settings.secret_shared printf '\\n%s\\n' \"JWT_SECRET_KEY=$(openssl rand -base64 48)\" >> .env",
    ]],
    [{ MCP_SESSION_POOL_ENABLED: "true", AUTH_REQUIRED: "false" }, {}, [
      "warning settings.anonymous_pool AUTH_REQUIRED=true",
    ]],
    [
      {
        MCP_SESSION_POOL_ENABLED: "true",
        ENABLE_HEADER_PASSTHROUGH: "true",
        DEFAULT_PASSTHROUGH_HEADERS: "X-Tenant-Id,traceparent",
      },
      {},
      ['warning settings.tracing_pool DEFAULT_PASSTHROUGH_HEADERS=["X-Tenant-Id"]'],
    ],
    [{ MCP_SESSION_POOL_ENABLED: "true" }, {}, []],
    // The guide's way without authentication: identity headers that are passed on.
    [
      {
        ...{ MCP_SESSION_POOL_ENABLED: "true", AUTH_REQUIRED: "false", ENABLE_HEADER_PASSTHROUGH: "true" },
        DEFAULT_PASSTHROUGH_HEADERS: "X-Tenant-Id,X-User-Id,X-API-Key",
      },
      {},
      [],
    ],
    [
      {
        ...{ MCP_SESSION_POOL_ENABLED: "true", AUTH_REQUIRED: "false", ENABLE_HEADER_PASSTHROUGH: "true" },
        DEFAULT_PASSTHROUGH_HEADERS: "X-Locale",
      },
      {},
      ["warning settings.anonymous_pool AUTH_REQUIRED=true"],
    ],
    // A gateway that continues traces does not pass the caller's.
    [
      {
        ...{ MCP_SESSION_POOL_ENABLED: "true", ENABLE_HEADER_PASSTHROUGH: "true" },
        ...{ DEFAULT_PASSTHROUGH_HEADERS: "traceparent,X-Amzn-Trace-Id", OTEL_ENABLE_OBSERVABILITY: "true" },
      },
      {},
      ['warning settings.tracing_pool DEFAULT_PASSTHROUGH_HEADERS=["traceparent"]'],
    ],
    [{ MCP_SESSION_POOL_ENABLED: "true", MCP_SESSION_POOL_IDENTITY_HEADERS: "X-User-ID,X-Request-ID" }, {}, [
      'warning settings.unstable_identity MCP_SESSION_POOL_IDENTITY_HEADERS=["X-User-ID"]',
    ]],
    [{ LOG_LEVEL: "debug" }, {}, ["note settings.log_level LOG_LEVEL=INFO"]],
    [{}, { keyFaults: ["the key is damaged"] }, [
      "error settings.key_pair JWT_PRIVATE_KEY_PATH=/etc/sluice/key.pem",
    ]],
    [{ AUTH_REQUIRED: "false", SSL: "true" }, { reach: "network" }, [
      "error settings.anonymous AUTH_REQUIRED=true",
    ]],
    [{ AUTH_REQUIRED: "false" }, { reach: "machine" }, []],
    [{}, { reach: "network" }, ["note settings.no_tls HOST=127.0.0.1"]],
    [{}, { reach: "world" }, ["warning settings.no_tls HOST=127.0.0.1"]],
    [{ TRUSTED_PROXY_NETWORKS: "10.1.0.0/16" }, { reach: "world" }, []],
    [{ SSL: "true" }, { reach: "world" }, []],
    [{}, { certificate: { fault: null, expiry: "the certificate has expired on 2026-01-01" } }, [
      `error settings.certificate ${RELOAD}`,
    ]],
    [{}, { certificate: { fault: null, expiry: "the certificate expires on 2026-01-01" } }, [
      `warning settings.certificate ${RELOAD}`,
    ]],
    [{}, { certificate: { fault: "no such file", expiry: null } }, [
      "error settings.certificate CERT_FILE=/etc/sluice/chain.pem",
    ]],
    [{ SSL: "true", KEY_FILE: "key.pem" }, { keyFileMode: 0o644 }, [
      "warning settings.key_file_mode chmod 600 key.pem",
    ]],
    [{ DEV_MODE: "true" }, {}, ["warning settings.dev_mode DEV_MODE=false"]],
    [{ SSRF_PROTECTION_ENABLED: "false" }, {}, ["warning settings.egress SSRF_PROTECTION_ENABLED=true"]],
    [{ STDIO_ENABLED: "true" }, {}, ["warning settings.stdio_root STDIO_USER=nobody"]],
    [{ STDIO_ENABLED: "true" }, { isRoot: false }, []],
    [{ STDIO_ENABLED: "true", STDIO_USER: "mcp" }, {}, []],
    [{ MAX_CLIENT_MEMORY_MB: "1500" }, {}, ["warning settings.contradiction WORKER_MAX_HEAP_MB=3000"]],
    [{ BACKPRESSURE: "100" }, {}, ["warning settings.contradiction MAX_CALLS_PER_CALLER=50"]],
    [{ BACKPRESSURE: "auto" }, {}, []],
    [{ POLL_INTERVAL: "9" }, {}, ["warning settings.contradiction MAX_INTERVAL=9"]],
    [
      { ...POSTGRES, JWT_SECRET_KEY: SECRET, AUTH_ENCRYPTION_SECRET: OTHER_SECRET, CACHE_TYPE: "memory" },
      {},
      [
        "warning settings.contradiction CACHE_TYPE=database",
      ],
    ],
    [{ CACHE_TYPE: "memory" }, {}, []],
    [{ GUNICORN_THREADS: "4" }, {}, ["note settings.ineffective sluice config"]],
    [{ DEFAULT_PASSTHROUGH_HEADERS: "X-Locale" }, {}, ["warning settings.ineffective sluice config"]],
  ];
  for (const [environment, facts, findings] of cases) assertEquals(found(environment, facts), findings);
});

Deno.test("checkSettings() mends each fault of a key pair by a line of its own, and replaces no key", () => {
  const keys = { JWT_ALGORITHM: "ES384", JWT_PRIVATE_KEY_PATH: "a.pem", JWT_PUBLIC_KEY_PATH: "b.pem" };
  const fixFor = (fault: string) =>
    found(keys, { keyFaults: [fault] })[0]!.replace("error settings.key_pair ", "");
  assertEquals(
    [
      "JWT_PRIVATE_KEY_PATH a.pem is open to other users (mode 644). Close it: chmod 600 a.pem",
      "JWT_PRIVATE_KEY_PATH my key is open to other users (mode 644). Close it: chmod 600 my key",
      "JWT_PRIVATE_KEY_PATH a.pem cannot be read: there is no such file. Correct the path, or put the file there",
      "JWT_PRIVATE_KEY_PATH a.pem: the key is for RS256, PS256, and JWT_ALGORITHM is ES384. Set JWT_ALGORITHM",
      "JWT_PRIVATE_KEY_PATH a.pem holds no private key that can be used. Name a private key in PEM format",
      "JWT_PUBLIC_KEY_PATH b.pem is not the public key of JWT_PRIVATE_KEY_PATH a.pem. Name the keys of one pair",
      "JWT_PUBLIC_KEY_PATH_PREVIOUS c.pem cannot be read: there is no such file",
      "JWT_ALGORITHM=ES384 signs with a key pair. Set JWT_PRIVATE_KEY_PATH",
    ].map(fixFor),
    [
      "chmod 600 a.pem",
      "chmod 600 'my key'",
      "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out a.pem && chmod 600 a.pem",
      "JWT_ALGORITHM=RS256",
      "JWT_PRIVATE_KEY_PATH=/etc/sluice/key.pem",
      "openssl pkey -in a.pem -pubout -out b.pem",
      "JWT_PUBLIC_KEY_PATH_PREVIOUS=/etc/sluice/key.pem",
      "JWT_PRIVATE_KEY_PATH=/etc/sluice/key.pem",
    ],
  );
});

Deno.test("checkMistakes() makes an error of each mistake, as a sentence", () => {
  const findings = checkMistakes(["WORKRES: unknown setting; did you mean WORKERS?", "PORT=x: a number"]);
  assertEquals(findings.map(({ severity, found }) => `${severity} ${found}`), [
    "error WORKRES: unknown setting; did you mean WORKERS?",
    "error PORT=x: a number.",
  ]);
});

Deno.test("checkMistakes() gives the line that corrects a mistaken name or value, where the setting has its place", () => {
  const mistakesOf = (environment: Record<string, string>, dotEnv: string | null) => {
    try {
      loadConfig({ environment, dotEnv, dev: false, overrides: {}, cores: 2 });
      return [];
    } catch (error) {
      return (error as Error).message.split("\n");
    }
  };
  const fixes = (environment: Record<string, string>, dotEnv: string | null = null) =>
    checkMistakes(mistakesOf(environment, dotEnv)).map(({ fix }) => fix);
  assertEquals(fixes({}, "WROKERS=4"), ["sed -i 's/\\bWROKERS *=/WORKERS=/' .env"]);
  assertEquals(fixes({ WROKERS: "4" }), ['export WORKERS="$WROKERS"; unset WROKERS']);
  assertEquals(fixes({ PORT: "x", TOOL_TIMEOUT: "soon" }), ["PORT=4444", "TOOL_TIMEOUT=60"]);
  assertEquals(fixes({ JWT_SECRET_KEY: "short" }), [
    "printf '\\n%s\\n' \"JWT_SECRET_KEY=$(openssl rand -base64 48)\" >> .env",
  ]);
  assertEquals(
    checkMistakes(["Cannot read .env: it is not UTF-8 text. Save it as UTF-8"]).map(({ fix }) => fix),
    [
      "iconv -f UTF-16 -t UTF-8 .env > .env.utf8 && mv .env.utf8 .env",
    ],
  );
  assertEquals(fixes({ DATABASE_URL: "mysql://h/d", CERT_FILE: "" }), ["DATABASE_URL=sqlite:///./mcp.db"]);
});

Deno.test("reachOf() and listenAddresses() tell from where HOST can be reached", async () => {
  const own = (...addresses: string[]) => () => addresses;
  const reach = async (host: string, ownAddresses: () => string[]) =>
    reachOf(
      await listenAddresses(host, ownAddresses, (name) =>
        name === "known" ? Promise.resolve(["10.0.0.4"]) : Promise.reject(new Error("unknown"))),
    );
  assertEquals(await reach("127.0.0.1", own("8.8.8.8")), "machine");
  assertEquals(await reach("::1", own("8.8.8.8")), "machine");
  assertEquals(await reach("0.0.0.0", own("127.0.0.1", "fe80::1%eth0")), "machine");
  assertEquals(await reach("0.0.0.0", own("127.0.0.1", "10.0.0.4")), "network");
  assertEquals(await reach("::", own("127.0.0.1", "10.0.0.4", "8.8.8.8")), "world");
  assertEquals(await reach("8.8.8.8", own()), "world");
  assertEquals(await reach("known", own()), "network");
  assertEquals(await reach("unknown", own("8.8.8.8")), "machine");
});

Deno.test("isContainerRoot() knows a container of containerd by its root, and takes no machine for one", () => {
  const root = (type: string, options: string) =>
    `22 27 0:21 / /proc rw,relatime - proc proc rw\n571 467 0:129 / / rw,relatime master:205 - ${type} ${options}\n`;
  const layers = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/39/fs";
  assertEquals(isContainerRoot(root("overlay", `overlay rw,lowerdir=${layers},upperdir=${layers}`)), true);
  assertEquals(isContainerRoot(root("ext4", "/dev/vda1 rw")), false);
  // A live system.
  assertEquals(isContainerRoot(root("overlay", "overlay rw,lowerdir=/run/live/rootfs,upperdir=/cow")), false);
  assertEquals(isContainerRoot(""), false);
  const ofDocker =
    "99 27 0:99 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw,lowerdir=/var/lib/docker/l";
  assertEquals(isContainerRoot(ofDocker), false);
});
