# Compiles the one executable, and puts it into a small image.
#
#   docker build --build-arg COMMIT=$(git rev-parse --short=12 HEAD) -t sluice .
#   docker run --init -p 4444:4444 -v sluice:/data -e PLATFORM_ADMIN_EMAIL=me@example.com sluice
#
# `--target stdio` makes an image with Node and uv beside it, for upstreams that are started by npx and uvx.

FROM denoland/deno:debian-2.9.6 AS build
ARG COMMIT=""
WORKDIR /app
COPY deno.json deno.lock ./
COPY scripts/bundle.ts scripts/compile.ts scripts/executable.ts scripts/git_commit.ts scripts/permission_flags.ts scripts/runtime_license.ts scripts/
COPY src src
RUN SLUICE_COMMIT="$COMMIT" deno run -A scripts/compile.ts --output /app/sluice --licenses /app/licenses.txt

FROM ghcr.io/astral-sh/uv:0.9 AS uv

FROM node:24-bookworm-slim AS stdio
COPY --from=uv /uv /uvx /usr/local/bin/
RUN useradd --system --create-home --home-dir /data --uid 10001 sluice
COPY --from=build /app/sluice /usr/local/bin/sluice
COPY LICENSE /usr/share/doc/sluice/LICENSE
COPY --from=build /app/licenses.txt /usr/share/doc/sluice/licenses.txt
USER 10001
WORKDIR /data
VOLUME /data
ENV HOST=0.0.0.0 PORT=4444 STDIO_ENABLED=true STDIO_ALLOWED_COMMANDS=npx,uvx
EXPOSE 4444
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["sluice", "health"]
ENTRYPOINT ["sluice"]
CMD ["serve"]

FROM debian:bookworm-slim
# Certificate authorities, to trust upstreams over TLS.
# No version is pinned: the archive of Debian keeps the newest one only.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --create-home --home-dir /data --uid 10001 sluice
COPY --from=build /app/sluice /usr/local/bin/sluice
COPY LICENSE /usr/share/doc/sluice/LICENSE
COPY --from=build /app/licenses.txt /usr/share/doc/sluice/licenses.txt
USER 10001
# The working folder holds the default database and the secrets of a first start.
WORKDIR /data
VOLUME /data
ENV HOST=0.0.0.0 PORT=4444
EXPOSE 4444
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["sluice", "health"]
ENTRYPOINT ["sluice"]
CMD ["serve"]
