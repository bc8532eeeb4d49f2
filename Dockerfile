# nginx and feed-ingress in one image: for child mode, and for feed-ingress's container in sidecar mode.
FROM rust:1.95-bookworm AS build
WORKDIR /feed
COPY . .
RUN cargo build --release --locked --package feed-supervisor --package feed-dns

# feed-dns alone: docker build --target feed-dns
FROM debian:bookworm-slim AS feed-dns
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /feed/target/release/feed-dns /usr/local/bin/feed-dns
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/feed-dns"]

FROM nginx:1.30
COPY --from=build /feed/target/release/feed-ingress /usr/local/bin/feed-ingress
USER 101:101
# The base image says SIGQUIT, which drains too; with SIGTERM a second one ends feed-ingress at once.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/feed-ingress"]
