# Compiles the one executable, and puts it alone into a small image.
#
#   docker build --build-arg COMMIT=$(git rev-parse --short=12 HEAD) -t sluice .
#   docker run -p 4444:4444 -v sluice:/data -e JWT_SECRET_KEY=... sluice

FROM denoland/deno:debian-2.9.6 AS build
ARG COMMIT=""
WORKDIR /app
COPY deno.json deno.lock ./
COPY scripts/bundle.ts scripts/compile.ts scripts/git_commit.ts scripts/permission_flags.ts scripts/
COPY src src
RUN SLUICE_COMMIT="$COMMIT" deno run -A scripts/compile.ts --output /app/sluice --licenses /app/licenses.txt

FROM debian:bookworm-slim
# Certificate authorities, to trust upstreams over TLS.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --create-home --home-dir /data --uid 10001 sluice
COPY --from=build /app/sluice /usr/local/bin/sluice
COPY LICENSE /usr/share/doc/sluice/LICENSE
COPY --from=build /app/licenses.txt /usr/share/doc/sluice/licenses.txt
USER sluice
# The working folder holds the default database and the secrets of a first start.
WORKDIR /data
VOLUME /data
ENV HOST=0.0.0.0 PORT=4444
EXPOSE 4444
STOPSIGNAL SIGTERM
ENTRYPOINT ["sluice"]
CMD ["serve"]
