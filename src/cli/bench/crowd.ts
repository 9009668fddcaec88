// The users of a load: connected and in their sessions before the load begins.
import { isError, SluiceError } from "../../base/errors.ts";
import { refusal, shownUrl } from "./tool_choice.ts";
import type { Plan } from "./load_plan.ts";
import { User } from "./load_user.ts";
import type { ConnectionSource } from "./user_connection.ts";
import { isSessionRevision } from "../../mcp/revisions.ts";

/** How many users connect, or leave, at once. */
const AT_ONCE = 50;

export interface CrowdOptions {
  readonly plan: Plan;
  readonly source: ConnectionSource;
  /** The users take them by turns; empty: none is sent. */
  readonly tokens: readonly string[];
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Connects all users. Of an interrupt it leaves the rest out.
 * @throws {SluiceError} GATEWAY_UNREACHABLE: a user cannot connect, or gets no session
 */
export async function gatherCrowd(
  { plan, source, tokens, signal, onProgress }: CrowdOptions,
): Promise<User[]> {
  // A session belongs to the caller who opened it.
  const ownTokens = plan.sessions === "one" ? tokens.slice(0, 1) : tokens;
  const ids = { next: 1 };
  const users = Array.from({ length: plan.users }, (_, index) => {
    return new User(plan, source, ids, ownTokens.length === 0 ? null : ownTokens[index % ownTokens.length]!);
  });
  let done = 0;
  const open = async (user: User, shared: User | null) => {
    if (signal.aborted) return;
    await enter(user, plan, shared);
    onProgress(++done, users.length);
  };
  try {
    const [first, ...others] = users;
    const entering = async () => {
      await open(first!, null);
      await inTurns(others, (user) => open(user, plan.sessions === "one" ? first! : null));
    };
    await orInterrupted(entering(), signal);
    return users;
  } catch (error) {
    for (const user of users) user.close();
    throw error;
  }
}

/** The result of `running`; null if the interrupt comes first. A later result or failure of `running` is dropped. */
export async function orInterrupted<T>(running: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const interrupt = Promise.withResolvers<null>();
  const stop = () => interrupt.resolve(null);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([running, interrupt.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Ends all sessions and connections. */
export async function dismissCrowd(users: readonly User[]): Promise<void> {
  const [first, ...others] = users;
  await inTurns(others, (user) => user.leave());
  await first?.leave();
  for (const user of users) user.close();
}

async function enter(user: User, plan: Plan, shared: User | null): Promise<void> {
  const fail = (reason: string, cause?: unknown) =>
    new SluiceError("GATEWAY_UNREACHABLE", { url: shownUrl(plan.url), reason }, { cause });
  try {
    await user.connect();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const reason = String(error.params.reason ?? error.message);
    // The remedy of the reason is one for upstreams.
    const [fault] = reason.split("; ");
    throw fail(
      isError(error, "UPSTREAM_TLS_FAILED")
        ? `${fault}. ${
          fault!.includes("does not speak TLS") ? "Use http:// in the URL" : "Name its authority by DENO_CERT"
        }`
        : `${reason}. Start the server, or correct the URL`,
      error,
    );
  }
  if (shared !== null) return user.share(shared.session);
  if (!isSessionRevision(plan.protocol)) return;
  const { outcome } = await user.openSession();
  if (outcome.kind !== "right") throw fail(`initialize: ${refusal(outcome, plan)}`);
}

async function inTurns<T>(all: readonly T[], step: (each: T) => Promise<void>): Promise<void> {
  let next = 0;
  const walk = async () => {
    while (next < all.length) await step(all[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, walk));
}
