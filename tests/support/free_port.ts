// Ports for servers that cannot tell which one they got.

/** Below the ports that systems give to sockets that ask for none: connections of other tests do not take them meanwhile. */
const FIRST = 20_000;
const AFTER_LAST = 32_000;

/** Names the port that was given last, for all processes of the user. */
const LAST_GIVEN = `${Deno.env.get("TMPDIR") ?? "/tmp"}/sluice_test_last_port_${Deno.uid()}`;

/** A TCP port on 127.0.0.1 on which nobody listens. No other caller gets it, in any process, before thousands of others were given. */
export function freePort(): number {
  using file = Deno.openSync(LAST_GIVEN, { read: true, write: true, create: true });
  file.lockSync(true);
  const text = new Uint8Array(8);
  const length = file.readSync(text) ?? 0;
  let port = Number(new TextDecoder().decode(text.subarray(0, length))) || FIRST;
  do port = port + 1 < AFTER_LAST ? port + 1 : FIRST; while (!isFree(port));
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(String(port)));
  return port;
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
