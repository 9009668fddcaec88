// `sluice stdio --url`: a bridge from a desktop client on standard input and output to a running gateway, over its WebSocket.
import { sleep, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { StdioArgs } from "../command_line/flags.ts";
import { OpenRequests } from "./open_requests.ts";
import { LineWriter, readLines } from "./lines.ts";
import { tokenFor } from "../command_line/gateway_client.ts";
import { stopSignal } from "../command_line/stop_signal.ts";

/** The gateway has a smaller limit, and reports it to the client. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** The time for the last responses after standard input has ended. */
const LAST_ANSWERS_MS = 30_000;

/** @returns the exit code: 1 if the gateway closed the connection. @throws {SluiceError} USAGE_INVALID, GATEWAY_UNREACHABLE */
export async function bridge(
  { server, url, tokenFile }: StdioArgs & { readonly url: string },
): Promise<number> {
  const stopping = stopSignal();
  const headers = new Headers();
  const token = tokenFor(tokenFile);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  const socket = new WebSocket(addressOf(url, server), { protocols: ["mcp"], headers });
  const lost = Promise.withResolvers<string>();
  const writer = new LineWriter(Deno.stdout, (error) => lost.resolve(reasonOf(error)));
  const open = new OpenRequests();
  socket.onmessage = ({ data }) => {
    writer.send(data);
    open.heard(data);
  };
  await opened(socket, { url, hasToken: token !== null });
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
    // A client that pipes its requests in still gets the responses.
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
function opened(
  socket: WebSocket,
  { url, hasToken }: { readonly url: string; readonly hasToken: boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = (event) => {
      const words = event instanceof ErrorEvent ? event.message : "the connection failed";
      const reason = connectFault(words, hasToken);
      reject(new SluiceError("GATEWAY_UNREACHABLE", { url: new URL(url).origin, reason }));
    };
  });
}

/** Why the WebSocket cannot be opened, and the remedy. @param words of the runtime */
export function connectFault(words: string, hasToken: boolean): string {
  const reason = words.replace(/^.*failed to connect to WebSocket: /, "");
  const status = /status code: (\d+)/.exec(reason)?.[1];
  if (status === "401") {
    return hasToken
      ? "the gateway does not accept the token. Put a valid token into the file of --token-file"
      : "the gateway needs a token. Name a file with a token by --token-file";
  }
  if (status === "403") return "the token does not open this server. Use a token without that limit";
  if (status === "404") return "the gateway has no such address. Correct --url and --server";
  if (status === "503") return "the gateway is at capacity. Try again later";
  if (/tcp connect error/.test(reason)) return "nothing listens there. Start the gateway, or correct --url";
  if (/dns error/.test(reason)) return "the host name cannot be resolved. Correct --url";
  if (/InvalidContentType/.test(reason)) return "the gateway does not serve HTTPS. Use http:// in --url";
  if (/invalid peer certificate/.test(reason)) {
    return `${reason}. Name the file of the certificate's authority in the environment variable DENO_CERT`;
  }
  return reason;
}
