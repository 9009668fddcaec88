// What the tests of the upstream HTTP/1.1 client share: a client, requests, and a server that says whatever it is told to.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ErrorCode, SluiceError } from "../../src/base/errors.ts";
import { Http1Client, type Http1ClientOptions } from "../../src/upstream/http_client/http1_client.ts";
import type { HttpRequest, HttpResponse } from "../../src/upstream/http_client/http_client.ts";

export const MAX = 10_000_000;

export function clientOf(options: Partial<Http1ClientOptions> = {}) {
  const client = new Http1Client({
    maxConnections: 100,
    maxKeepaliveConnections: 20,
    keepaliveExpiryMs: 60_000,
    connectTimeoutMs: 5_000,
    readTimeoutMs: 5_000,
    writeTimeoutMs: 5_000,
    poolTimeoutMs: 5_000,
    maxHeadBytes: 16_384,
    checkAddress: () => {},
    ...options,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

export function get(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", url: new URL(url), headers: [], upstream: "up", ...more };
}

export function post(url: string, body: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return get(url, { method: "POST", body, ...more });
}

export async function textOf(response: Promise<HttpResponse>): Promise<string> {
  return (await response).text(MAX);
}

export async function rejects(run: () => Promise<unknown>, code: ErrorCode): Promise<SluiceError> {
  const error = await assertRejects(run);
  assert(error instanceof SluiceError, String(error));
  assertEquals(error.code, code, error.message);
  return error;
}

export interface Running extends AsyncDisposable {
  readonly url: string;
}

export interface Hostile extends Running {
  /** Connections accepted, and requests whose head and body have come whole. */
  readonly seen: { connections: number; requests: number };
}

/** What the hostile server does with one connection; `request` reads the next request off it, "" at the end. */
export type Act = (conn: Deno.Conn, request: () => Promise<string>, connection: number) => Promise<void>;

export async function startHostile(act: Act): Promise<Hostile> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const seen = { connections: 0, requests: 0 };
  const open = new Set<Deno.Conn>();
  const acts: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      open.add(conn);
      const number = ++seen.connections;
      const request = async () => {
        const text = await readRequest(conn);
        if (text !== "") seen.requests++;
        return text;
      };
      acts.push(act(conn, request, number).catch(ignoreConnectionEnd).finally(() => close(conn)));
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`,
    seen,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      open.forEach(close);
      await Promise.all(acts);
    },
  };
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch (error) {
    ignoreConnectionEnd(error);
  }
}

function ignoreConnectionEnd(error: unknown): void {
  const { BadResource, BrokenPipe, ConnectionReset, Interrupted } = Deno.errors;
  if (![BadResource, BrokenPipe, ConnectionReset, Interrupted].some((kind) => error instanceof kind)) {
    throw error;
  }
}

export async function write(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

async function readRequest(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return "";
    text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
    const headEnd = text.indexOf("\r\n\r\n");
    const length = Number(/^content-length: (\d+)/m.exec(text)?.[1] ?? 0);
    if (headEnd >= 0 && text.length >= headEnd + 4 + length) return text;
  }
}

/** Answers every request with `wire`, the n-th one of a connection with the n-th (or last) of several. */
export function answering(...wires: string[]): Act {
  return async (conn, request) => {
    for (let i = 0; await request() !== ""; i++) await write(conn, wires[Math.min(i, wires.length - 1)]);
  };
}

/** Answers one request with `wire` and closes. */
export function answeringOnce(wire: string): Act {
  return async (conn, request) => {
    await request();
    await write(conn, wire);
  };
}

export const OK = "HTTP/1.1 200 OK\r\n";
export const HELLO = `${OK}content-length: 5\r\n\r\nhello`;
