import { assertEquals } from "@std/assert";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { channelOf } from "./websocket.ts";

class FakeSocket extends EventTarget {
  readyState: number = WebSocket.CONNECTING;
  readonly bufferedAmount = 0;
  readonly closed: (number | undefined)[] = [];

  send(): void {}

  close(code?: number): void {
    this.readyState = WebSocket.CLOSING;
    this.closed.push(code);
  }

  open(): void {
    this.readyState = WebSocket.OPEN;
    this.dispatchEvent(new Event("open"));
  }
}

function scene() {
  const socket = new FakeSocket();
  const closing: number[] = [];
  const unread = new ClientMemory(1_000).hold({ issuer: null, subject: "ann" });
  const events = { onCutOff: () => {}, onClosing: () => void closing.push(socket.readyState) };
  return { socket, channel: channelOf(socket, unread, events), closing };
}

Deno.test("A WebSocket that is told to close before it is open closes once it is", () => {
  const { socket, channel, closing } = scene();
  channel.close("restart");
  assertEquals([socket.closed, closing], [[], [WebSocket.CONNECTING]]);
  socket.open();
  assertEquals(socket.closed, [1012]);
});

Deno.test("An open WebSocket closes once", () => {
  const { socket, channel, closing } = scene();
  socket.open();
  channel.close("expired");
  channel.close("restart");
  assertEquals([socket.closed, closing], [[1008], [WebSocket.OPEN]]);
});
