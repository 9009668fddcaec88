// `sluice serve`: runs the gateway. It prepares settings, database and secrets, then starts the workers and the demo upstream.
// The list of modules is imported first, to save memory.
import "./serve_modules.js";
import { systemClock } from "../base/clock.ts";
import { collectGarbage } from "../base/sharing/garbage.ts";
import { SluiceError } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import { loadProcessConfig } from "../config/load.ts";
import { keepCatalogs } from "../supervisor/catalog_watch.ts";
import { checkCertificate } from "../supervisor/certificate_reload.ts";
import { keepConnectionLimits } from "../supervisor/connection_limits.ts";
import { noticeDepartedClients } from "../supervisor/departed_clients.ts";
import { raiseOpenFilesLimit, systemLimitWarnings } from "../supervisor/kernel/descriptors.ts";
import { findFreePort } from "../supervisor/kernel/free_port.ts";
import { releaseFreedMemory, releaseStartMemory } from "../supervisor/kernel/freed_memory.ts";
import { watchSources } from "../supervisor/source_watch.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { createLog, type LineSink, type Log, stdoutSink } from "../telemetry/log.ts";
import { RecentLog } from "../telemetry/recent_log.ts";
import { VERSION } from "../version.ts";
import { startDemo } from "./demo_registration.ts";
import type { ServeArgs } from "./commands/command_arguments.ts";
import {
  giveUpPermissions,
  missingPermissionWarning,
  needsOf,
  requireBasicPermissions,
  requirePermissions,
} from "./isolation/permissions.ts";
import { announceSetup, prepare, type Setup, warnOfSettings } from "./command_line/prepare.ts";
import { Reload } from "./reload.ts";
import { McpConfigFile } from "./import/mcp_config_file.ts";
import { programName } from "./command_line/program_name.ts";
import { onReloadSignal } from "./command_line/reload_signal.ts";
import { isolateStdio } from "./isolation/stdio_isolation.ts";
import { stopSignal } from "./command_line/stop_signal.ts";
import { readFileFacts } from "./doctor/examination.ts";
import { Checkups, examineServing } from "./doctor/gateway/checkups.ts";
import { welcome } from "./welcome.ts";

/**
 * Serves until SIGINT or SIGTERM, or until the workers keep dying.
 * @param workerEntry another worker, for tests
 * @returns the exit code. @throws {SluiceError} if the gateway cannot start, or its workers keep dying
 */
export async function serve(args: ServeArgs, workerEntry?: URL): Promise<number> {
  requireBasicPermissions();
  // The demo upstream runs on localhost, which only the development defaults allow.
  const dev = args.dev || args.demo;
  const loaded = loadProcessConfig({ dev, overrides: args.overrides });
  const { sources, warnings } = loaded;
  const { host, port: wanted } = loaded.config;
  const port = args.takeover ? wanted : findFreePort(host, wanted);
  const config: Config = { ...loaded.config, port };
  const out = stdoutSink();
  const recentLog = new RecentLog(config.logBufferSizeMb * 1024 * 1024);
  const sink: LineSink = {
    write: (lines, kind) => {
      out.write(lines);
      recentLog.write(lines, kind);
    },
    flush: () => out.flush(),
  };
  const log = createLog({ level: config.logLevel, format: config.logFormat, sink });
  warnOfSettings(warnings, config, sink);
  const needs = needsOf(config);
  requirePermissions(needs);
  const missing = missingPermissionWarning();
  if (missing !== null) log.warning("permissions", { warning: missing });
  raiseOpenFilesLimit();
  for (const warning of systemLimitWarnings(config)) log.warning("system limit", { warning });
  await checkCertificate(config, log);
  const mcpConfig = config.mcpConfig === null ? null : McpConfigFile.open(config.mcpConfig);

  // Before the database is opened, and while files can be read.
  const files = await readFileFacts(loaded).catch(() => null);
  // The one-time token goes to the operator's output alone: people who may read the log are not all administrators.
  let setup: Setup | null = null;
  const secrets = await prepare(config, log, (offer) => setup = announceSetup(offer, config, out));
  await isolateStdio(loaded, sink);

  // The registration of the demo calls the gateway's own address. Over HTTPS it would fail: the certificate need not name localhost.
  const hasDemo = dev && !config.ssl;
  let waitsFor = hasDemo ? "the demo upstream is not registered yet" : null;
  const stopping = stopSignal();
  const supervisor: Supervisor = new Supervisor({
    ...{ config, secrets, log, sink, recentLog, workerEntry },
    reports: {
      settings: () => reload.report(),
      checkup: () => checkups.latest(),
      examine: () => checkups.renewed(),
      start_up: () => waitsFor,
    },
  });
  const checkups = new Checkups(() => examineServing(reload.loaded, files), log);
  const started = { ...loaded, config, tokenKeys: secrets.tokenKeys };
  const reload = new Reload(started, { supervisor, log, load: { dev, overrides: args.overrides } });
  const program = Deno.stderr.isTerminal() ? programName() : null;
  giveUpPermissions(needs, log);
  await supervisor.start();
  const { workers, backpressure, maxStreams } = config;
  log.info("serving", {
    version: VERSION,
    host,
    port,
    workers,
    requestsAtOnce: backpressure === "auto" ? backpressure : workers * backpressure,
    streamsAtOnce: workers * maxStreams,
  });
  const stopWatching = await keepCatalogs(config, supervisor, log);
  const limits = keepConnectionLimits(config, supervisor, log);
  const departed = noticeDepartedClients(port, supervisor);
  supervisor.onStandstill(() => limits?.cutUnclaimed());
  const ignoreReloads = onReloadSignal(() => reload.run());
  const ignoreSecrets = reload.followSecrets();
  const ignoreSources = config.devMode ? freshWorkersOnChange(supervisor, log) : null;
  const following = new AbortController();
  await mcpConfig?.follow({ supervisor, log, clock: systemClock, signal: following.signal });
  const demo = hasDemo ? await startDemo({ config, secrets, log }) : null;
  waitsFor = null;
  if (program !== null) {
    const folder = Deno.cwd();
    console.error(welcome({ config, sources, program, folder, hasDemo: demo !== null, setup }));
  }
  collectGarbage();
  releaseStartMemory();
  const endReleases = releaseFreedMemory({ clock: systemClock });

  const end = await Promise.race([stopping, supervisor.failed]);
  if (end instanceof SluiceError) log.error("stopping", { reason: end.message });
  else log.info("stopping", { signal: end });
  ignoreReloads();
  ignoreSecrets();
  ignoreSources?.();
  following.abort();
  limits?.stop();
  departed?.stop();
  endReleases();
  await stopWatching();
  await supervisor.stop();
  await demo?.close();
  log.info("stopped");
  await sink.flush();
  if (end instanceof SluiceError) throw end;
  return 0;
}

function freshWorkersOnChange(supervisor: Supervisor, log: Log): (() => void) | null {
  if (Deno.build.standalone) {
    log.warning("DEV_MODE has no sources to watch in the compiled program");
    return null;
  }
  return watchSources(new URL("../", import.meta.url), (paths) => {
    log.info("sources changed", { paths });
    void supervisor.recycleAll("sources changed", 0);
  });
}
