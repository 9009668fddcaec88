// What the tuner would change of the settings for a number of users.
import type { RunningAdvice } from "../../tuning/running_advice.ts";
import type { PageCall } from "../call/page_call.ts";

/** The REST API takes no more. */
const MOST_USERS = 1_000_000;

export interface AskedAdvice {
  /** As it was typed; empty: nothing was asked for. */
  readonly users: string;
  readonly isNumber: boolean;
  /** null: the machine is not known yet. */
  readonly found: RunningAdvice | null;
}

/** What the query asks for with `users`. */
export async function readAdvice({ rest, query }: Pick<PageCall, "rest" | "query">): Promise<AskedAdvice> {
  const users = query.get("users")?.trim() ?? "";
  const isNumber = /^\d{1,7}$/.test(users) && Number(users) >= 1 && Number(users) <= MOST_USERS;
  const found = isNumber ? await rest.get<RunningAdvice | null>(`/settings/advice?users=${users}`) : null;
  return { users, isNumber, found };
}

export function Tuning({ asked: { users, isNumber, found } }: { readonly asked: AskedAdvice }) {
  return (
    <section aria-labelledby="tuning">
      <h2 id="tuning">
        For a number of users
        <a class="aside" href="help/tune" aria-label="The tuner in the manual">manual</a>
      </h2>
      <form class="filters" action="settings#tuning">
        <label for="users">Users at once</label>
        <input
          {...{ id: "users", name: "users", type: "number", min: 1, max: MOST_USERS, value: users }}
          class="short"
          required
        />
        <button type="submit">Show what would change</button>
      </form>
      {users !== "" && (isNumber
        ? <Advised found={found} />
        : <p class="notice bad" role="alert">Give a whole number from 1 to 1,000,000.</p>)}
    </section>
  );
}

function Advised({ found }: { readonly found: RunningAdvice | null }) {
  if (found === null) {
    return <p class="soft" role="status">This machine is being examined. Ask again in a moment.</p>;
  }
  const { users, replicas, advice, shortfalls } = found;
  const who = `${users.toLocaleString("en")} ${users === 1 ? "user" : "users"}`;
  const where = replicas === 1 ? "this machine" : `${replicas} replicas of this size`;
  return (
    <div role="status">
      {shortfalls.map((sentence) => <p class="notice warn">{sentence}</p>)}
      {advice.length === 0
        ? <p>{`The settings serve ${who} on ${where}: the tuner would change nothing.`}</p>
        : (
          <>
            <p>{`For ${who} on ${where} the tuner would change:`}</p>
            <table class="cards-on-phone settings">
              <thead>
                <tr>
                  <th>Setting</th>
                  <th>Value</th>
                  <th>Would be</th>
                </tr>
              </thead>
              <tbody>
                {advice.map(({ setting, now, advised, why }) => (
                  <tr>
                    <td>
                      <strong>
                        <code>{setting}</code>
                      </strong>
                      <span class="doc">{why}</span>
                    </td>
                    <td data-label="Value">
                      {now === "" ? <span class="soft">none</span> : <code>{now}</code>}
                    </td>
                    <td data-label="Would be">
                      <code>{advised}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            <p class="soft small">
              Calls of 200 ms and pauses of 3 s between them.{" "}
              <code>{`sluice tune --users ${users} --check`}</code>{" "}
              compares the kernel and the servers too, and takes other times.
            </p>
          </>
        )}
    </div>
  );
}
