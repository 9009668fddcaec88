// What each command is told on the command line, with the defaults filled in.
import type { SettingName } from "../../config/schema.ts";

export interface ServeArgs {
  /** Start the demo upstream and register it if the catalog is empty; implies the development defaults. */
  readonly demo: boolean;
  /** Use the development defaults. */
  readonly dev: boolean;
  /** Share the port with the gateway that serves it now, so that the operator can stop that one without a gap. */
  readonly takeover: boolean;
  /** The text of settings that were given as flags, for config/load.ts. */
  readonly overrides: Readonly<Partial<Record<SettingName, string>>>;
}

/** A running gateway, as flags name it. */
export interface GatewayArgs {
  /** null: the gateway of this folder. */
  readonly url: string | null;
  /** The file with the token for `url`; null: no token is sent. */
  readonly tokenFile: string | null;
}

/** With `url` null, the command runs a gateway in its own process. */
export interface StdioArgs extends GatewayArgs {
  /** The id of the virtual server to serve; null: everything. */
  readonly server: string | null;
}

export interface ImportArgs extends GatewayArgs {
  readonly file: string;
  /** As given: `NAME=VALUE`, or `NAME` for an environment variable. */
  readonly inputs: readonly string[];
  /** As given; null: as the gateway decides. */
  readonly toolApproval: string | null;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export interface ConnectArgs extends GatewayArgs {
  /** As given; null: list the clients. */
  readonly client: string | null;
  /** The id of the virtual server to connect to; null: everything. */
  readonly server: string | null;
  readonly write: boolean;
  /** The client's file; null: where the client keeps it. */
  readonly file: string | null;
  /** The name of the entry; null: after the virtual server. */
  readonly name: string | null;
  /** The client logs in with a browser, and gets no token. */
  readonly login: boolean;
  /** null: the user of the operating system. */
  readonly username: string | null;
  /** 0: the token never expires. */
  readonly expMinutes: number;
  readonly teams: TokenArgs["teams"];
}

export interface DemoArgs {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface TokenArgs {
  /** null: PLATFORM_ADMIN_EMAIL. */
  readonly username: string | null;
  /** The person's name; null: a placeholder. */
  readonly name: string | null;
  /** 0: the token never expires. */
  readonly expMinutes: number;
  readonly admin: boolean;
  /** Team ids; "all": not limited to teams; null: not given. */
  readonly teams: readonly string[] | "all" | null;
  /** The id of the only virtual server that the token opens; null: not limited. */
  readonly server: string | null;
  /** The only permissions of the token; null: not limited. */
  readonly permissions: readonly string[] | null;
  /** The key to sign with; null: the gateway's. */
  readonly secret: string | null;
}

export interface TokenRevokeArgs {
  /** A token, its id (`jti`), or "-" to read one of the two from standard input; null: all tokens of `user`. */
  readonly operand: string | null;
  /** The email address of a user; null: one token. */
  readonly user: string | null;
  readonly reason: string | null;
}

export interface KeysRotateArgs {
  /** Tokens of the former key are refused. */
  readonly now: boolean;
}

export interface AuditArgs {
  /** Of `verify`, as given: a head that has to be in the chain; null: none. */
  readonly noted: string | null;
  /** Of `export`: it begins after this record. */
  readonly after: number;
}

export interface ToolsArgs extends GatewayArgs {
  /** Of a decision: the versions that were seen. */
  readonly hashes: readonly string[];
  /** The name of the upstream; null: all. */
  readonly gateway: string | null;
  readonly json: boolean;
}

export interface BackupArgs {
  readonly file: string;
  /** Replace what is there. */
  readonly force: boolean;
}

export interface HelpArgs {
  /** A topic, a section of one, or a command; null: none. */
  readonly subject: string | null;
  /** The words to find; empty: no search. */
  readonly words: readonly string[];
  readonly list: boolean;
}

export interface HealthArgs {
  /** null: the gateway of this folder. */
  readonly url: string | null;
  /** Ask whether requests can be served, not only whether the gateway runs. */
  readonly isReady: boolean;
}

export interface ConfigArgs {
  readonly json: boolean;
  readonly dev: boolean;
}

/** The command that the command line asks for. */
