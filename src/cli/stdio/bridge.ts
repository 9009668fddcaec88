// `sluice stdio --url`: between a desktop client on standard input and output and a gateway that runs elsewhere, over its WebSocket.
import { sleep, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { StdioArgs } from "../command_line/flags.ts";
import { OpenRequests } from "./open_requests.ts";
import { LineWriter, readLines } from "./lines.ts";
import { stopSignal } from "../command_line/stop_signal.ts";

/** The gateway has its own, smaller limit, and says so itself. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** So long the last answers may take once standard input has ended. */
const LAST_ANSWERS_MS = 30_000;

/** @returns the exit code: 1 where the gateway has ended the connection. @throws {SluiceError} USAGE_INVALID, GATEWAY_UNREACHABLE */
export async function bridge(
  { server, url, tokenFile }: StdioArgs & { readonly url: string },
): Promise<number> {
  const stopping = stopSignal();
  const headers = new Headers();
  if (tokenFile !== null) headers.set("authorization", `Bearer ${readToken(tokenFile)}`);
  const socket = new WebSocket(addressOf(url, server), { protocols: ["mcp"], headers });
  const lost = Promise.withResolvers<string>();
  const writer = new LineWriter(Deno.stdout, (error) => lost.resolve(reasonOf(error)));
  const open = new OpenRequests();
  socket.onmessage = ({ data }) => {
    writer.send(data);
    open.heard(data);
  };
  await opened(socket, url);
  const closed = new Promise<string>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve(`the gateway closed the connection: ${code} ${reason}`);
  });
  const read = async () => {
    for await (const line of readLines(Deno.stdin.readable, MAX_LINE_BYTES)) {
      if (line instanceof SluiceError) console.error(`sluice: a line of standard input: ${line.message}`);
      else if (socket.readyState === WebSocket.OPEN) {
        open.said(line);
        socket.send(line);
      }
    }
    // Who pipes its requests in gets the answers still.
    await Promise.race([open.none(), sleep(systemClock, LAST_ANSWERS_MS)]);
    return null;
  };
  const fault = await Promise.race([stopping.then(() => null), read(), closed, lost.promise]);
  if (socket.readyState === WebSocket.OPEN) {
    socket.close(1000);
    await closed;
  }
  await writer.flush();
  if (fault === null) return 0;
  console.error(`sluice: ${fault}`);
  return 1;
}

function addressOf(url: string, server: string | null): URL {
  const address = new URL(url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const base = address.pathname.replace(/\/$/, "");
  address.pathname = server === null ? `${base}/ws` : `${base}/servers/${encodeURIComponent(server)}/ws`;
  return address;
}

/** @throws {SluiceError} GATEWAY_UNREACHABLE */
function opened(socket: WebSocket, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = (event) => {
      const reason = event instanceof ErrorEvent ? event.message : "the connection failed";
      reject(new SluiceError("GATEWAY_UNREACHABLE", { url: new URL(url).origin, reason }));
    };
  });
}

function readToken(file: string): string {
  try {
    return Deno.readTextFileSync(file).trim();
  } catch (cause) {
    const mistake = `--token-file ${file}: ${reasonOf(cause)}`;
    throw new SluiceError("USAGE_INVALID", { mistakes: mistake }, { data: [mistake], cause });
  }
}
