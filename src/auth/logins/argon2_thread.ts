// The thread of argon2.ts: verifies one hash, and posts whether the password is right.
import { parentPort, workerData } from "node:worker_threads";
import { argon2Verify } from "hash-wasm";

const { password, hash }: { readonly password: string; readonly hash: string } = workerData;
// A hash that cannot be read is nobody's.
parentPort!.postMessage(await argon2Verify({ password, hash }).catch(() => false));
