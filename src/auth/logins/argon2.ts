// Verifies argon2id hashes, which ContextForge makes, on a thread that lives for one hash. The library computes without a pause, and
// would hold up an event loop for a third of a second.
import { Worker } from "node:worker_threads";

/** ContextForge's cost is 64 MiB, 3 passes and 1 lane (RFC 9106, section 4, second choice). A hash that asks for much more is refused. */
const MAX = { memoryKib: 256 * 1024, passes: 10, lanes: 8 };

export async function verifyArgon2(password: string, hash: string): Promise<boolean> {
  const [memory, passes, lanes] =
    /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(hash)?.slice(1).map(Number) ?? [];
  if (!(memory <= MAX.memoryKib && passes <= MAX.passes && lanes <= MAX.lanes)) return false;
  const thread = new Worker(new URL("./argon2_thread.ts", import.meta.url), {
    workerData: { password, hash },
  });
  try {
    return await new Promise<boolean>((resolve, reject) => {
      thread.on("message", (isRight: boolean) => resolve(isRight));
      thread.on("error", reject);
      thread.on("exit", () => reject(new Error("the thread that verifies a password has ended")));
    });
  } finally {
    await thread.terminate();
  }
}
