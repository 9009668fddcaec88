// The bus over Redis: all replicas listen on one channel.
import type { Redis } from "ioredis";
import { reasonOf } from "../base/errors.ts";
import { type Listener, parseBusEvent, type Publisher } from "./bus.ts";
import { RedisConnection, type RedisConnectionOptions } from "./redis_connection.ts";

/** @param prefix CACHE_PREFIX: replicas with the same keys have the same channel */
function channelOf(prefix: string): string {
  return `${prefix}bus`;
}

/** Publishes over a connection that is also used for commands. @param warn receives the reason if publishing failed */
export function redisPublisher(
  connection: Pick<RedisConnection, "run">,
  { prefix, warn }: { readonly prefix: string; readonly warn: (reason: string) => void },
): Publisher {
  return {
    publish: (event) =>
      void connection.run((redis) => redis.publish(channelOf(prefix), JSON.stringify(event)))
        .catch((error) => warn(reasonOf(error.cause ?? error))),
  };
}

/** Listens on a separate connection until it is closed. A lost connection is replaced. */
export function listenOnRedis(
  options: RedisConnectionOptions,
  { prefix, listener }: { readonly prefix: string; readonly listener: Listener },
): RedisConnection {
  const channel = channelOf(prefix);
  const prepare = async (redis: Redis) => {
    redis.on("message", (_channel, text) => {
      const event = parseBusEvent(text);
      if (event !== null) listener.onEvent(event);
    });
    await redis.subscribe(channel);
  };
  return new RedisConnection({
    ...options,
    prepare,
    onUp: () => {
      options.onUp?.();
      listener.onListening();
    },
  });
}
