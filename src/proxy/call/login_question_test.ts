import { assertEquals } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { ConnectionRow } from "../../store/upstream_tokens/connections.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import type { ClientPeer, RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "./call_context.ts";
import { LoginQuestions } from "./login_question.ts";

const LINK = "http://gateway.test/admin/connections/g";
const LINKS = '{"elicitation":{"url":{}}}';
const OPENED: RpcAnswer = { text: '{"action":"accept"}', failed: false };
const CONNECTED = { gatewayId: "g", fault: null, wantedScope: null, isRenewable: true } as ConnectionRow;

interface Asked {
  readonly revision?: AnyRevision;
  /** undefined: the call has no session. */
  readonly capabilities?: string;
  /** undefined: the client cannot be asked. */
  readonly request?: ClientPeer["request"];
  readonly rows?: readonly ConnectionRow[];
}

/** A call that needs a login. @returns its error, what the client was asked, and what it was told */
async function call({ revision = "2025-11-25", capabilities, request, rows = [] }: Asked) {
  const clock = new FakeClock();
  const questions: Record<string, string>[] = [];
  const told: string[] = [];
  const client: ClientPeer = {
    notify: (text) => void told.push(JSON.parse(text).method),
    ...(request === undefined ? {} : {
      request: (method, params, options) => {
        questions.push(JSON.parse(params!));
        return request(method, params, options);
      },
    }),
  };
  const context = {
    ...{ principal: { email: "ann@x.example" }, revision, client },
    received: new Headers({ host: "gateway.test" }),
    bound: revision === "2026-07-28" || capabilities === undefined ? null : { client: { capabilities } },
    ...(revision === "2026-07-28" ? { clientCapabilities: capabilities } : {}),
  } as unknown as CallContext;
  const login = new LoginQuestions({
    ...{ publicUrl: null, isSecure: false, clock, timeoutMs: 2_000, recheck: () => {} },
    connections: async () => {
      // The user takes longer than the gateway waits.
      if (rows.length === 0) await clock.tick(1_500);
      return rows;
    },
  });
  const needed = () =>
    Promise.reject(
      new SluiceError("UPSTREAM_LOGIN_NEEDED", {
        ...{ upstream: "notes", reason: "", link: "/admin/connections/g" },
      }),
    );
  const again = rows.length === 0
    ? needed
    : () => Promise.resolve<RpcAnswer>({ text: '"done"', failed: false });
  const asking = login.orAsk("g", context, needed(), again);
  let isOver = false;
  const answer = asking.then(({ text }) => text, (error) => error as SluiceError).finally(() =>
    isOver = true
  );
  // The pauses between two look-ups pass.
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await clock.tick(500);
  }
  return { answer: await answer, questions, told };
}

/** The code of the error, its number, and its elicitations. */
function errorIn(answer: string | SluiceError) {
  if (typeof answer === "string") return answer;
  return [answer.code, answer.row.rpc, (answer.data as { elicitations?: unknown } | undefined)?.elicitations];
}

const visit = (elicitationId: string) => ({
  ...{ mode: "url", message: "Connect your account at notes: the tool needs a login of yours." },
  ...{ url: LINK, elicitationId },
});

Deno.test("A client of 2025-11-25 that opens links is asked, and the call goes on after the login", async () => {
  const { answer, questions, told } = await call({
    ...{ capabilities: LINKS, request: () => Promise.resolve(OPENED), rows: [CONNECTED] },
  });
  assertEquals([answer, questions], ['"done"', [visit(questions[0]!.elicitationId!)]]);
  assertEquals(told, ["notifications/elicitation/complete"]);
});

Deno.test("A client of 2025-11-25 that opens links gets the URL elicitation error where its user has not logged in", async () => {
  const late = await call({ capabilities: LINKS, request: () => Promise.resolve(OPENED) });
  // The same elicitation as in the question.
  const { elicitationId } = late.questions[0]!;
  assertEquals(errorIn(late.answer), ["URL_ELICITATION_REQUIRED", -32042, [visit(elicitationId!)]]);

  const silent = () =>
    Promise.reject(new SluiceError("CLIENT_DID_NOT_ANSWER", { method: "elicitation/create", timeoutMs: 1 }));
  const unanswered = await call({ capabilities: LINKS, request: silent });
  assertEquals(errorIn(unanswered.answer)[1], -32042);

  const unasked = await call({ capabilities: LINKS });
  assertEquals([errorIn(unasked.answer)[1], unasked.questions], [-32042, []]);
});

Deno.test("Other clients, and users who refuse, get the plain error with the link", async () => {
  const request = () => Promise.resolve(OPENED);
  const refuses = () => Promise.resolve<RpcAnswer>({ text: '{"action":"decline"}', failed: false });
  const plain: readonly [Asked, asked: number][] = [
    [{ capabilities: LINKS, request: refuses }, 1],
    // Forms alone.
    [{ capabilities: '{"elicitation":{}}', request }, 0],
    [{ capabilities: "{}", request }, 0],
    // Revisions before 2025-11-25 have no links, whatever the client declares.
    [{ revision: "2025-06-18", capabilities: LINKS, request }, 0],
    // POST /rpc.
    [{}, 0],
    // 2026-07-28 has input requests in place of the error.
    [{ revision: "2026-07-28", capabilities: LINKS }, 0],
    [{ revision: "2026-07-28", capabilities: "{}" }, 0],
  ];
  for (const [asked, times] of plain) {
    const { answer, questions } = await call(asked);
    assertEquals(errorIn(answer), ["UPSTREAM_LOGIN_NEEDED", -31445, undefined], JSON.stringify(asked));
    assertEquals((answer as SluiceError).params.link, LINK);
    assertEquals(questions.length, times);
  }
});
