.DEFAULT_GOAL := help
.PHONY: help setup build test test-unit test-end-to-end test-node lint doc demo bench soak clean

# Where Cargo puts what it builds.
target := $(abspath $(or $(CARGO_TARGET_DIR),target))

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing for all of the below (apt; sudo only when not root)
	@tests/setup test

build: ## Build feed-ingress and feed-dns for use, in target/release
	@tests/setup build
	cargo build --release --package feed-supervisor --package feed-dns

demo: ## Serve manifests/demo with a real nginx, until Ctrl-C
	@tests/setup demo
	@./demo

test: test-unit test-end-to-end ## Run all tests, the fastest first

# Of the whole workspace always, so that dependencies are built once: with the features that all members ask for.
test-unit: setup ## Run the tests of the libraries
	cargo test --package feed-reconcile
	cargo test --workspace --lib --bins --examples

test-end-to-end: setup ## Run the real binary against nginx 1.22 and 1.30 and a real control plane
	tests/nginx/fetch
	tests/prometheus/fetch || test "$$CI" != true
	tests/crossplane/install
	tests/openmetrics/install || test "$$CI" != true
	tests/aws/install || test "$$CI" != true
	tests/control-plane/build || test "$$CI" != true
	cargo build --workspace --bins --tests
	FEED_INGRESS_BINARY=$(target)/debug/feed-ingress FEED_DNS_BINARY=$(target)/debug/feed-dns cargo test --workspace --test '*'

test-node: setup ## Apply the manifests on a real Kubernetes node, and restart what they deploy under load (root; 10 minutes, 20 the first time)
	cargo build --package feed-supervisor --package feed-dns --bins
	FEED_NODE_TESTS=true FEED_INGRESS_BINARY=$(target)/debug/feed-ingress FEED_DNS_BINARY=$(target)/debug/feed-dns cargo test --package feed-tests --test node -- --nocapture

lint: ## Check the format, clippy's opinion and the documentation
	@tests/setup build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps --document-private-items

soak: setup ## Half an hour of everyday life under load: no failed request, every change served, memory flat
	tests/nginx/fetch
	tests/control-plane/build
	cargo build --release --package feed-supervisor --bin feed-ingress
	FEED_SOAK_MINUTES=$(or $(FEED_SOAK_MINUTES),30) FEED_INGRESS_BINARY=$(target)/release/feed-ingress cargo test --package feed-tests --test soak -- --nocapture

bench: ## Measure: a full computation, a single change, and the time to confirmed serving beside bare nginx's
	@tests/setup test
	cargo bench --package feed-reconcile
	tests/bench/run

clean: ## Remove what was built, and the cache of fetched tools
	cargo clean
	rm -rf .cache
