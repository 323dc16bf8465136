# Everything a person or CI does with this project. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# These can be set on the command line: make build BINARY=/tmp/sharelinks
BINARY := bin/sharelinks
VERSION = $(shell git describe --tags --always --abbrev=12 --dirty 2>/dev/null || echo dev)
# A number of runs, not a time: at the end of a time, go test before Go 1.27 may fail for no reason (golang/go#75804).
FUZZTIME := 2500x
PACKAGES := ./...

# The modules of this tool are not among ours: as a tool in go.mod it would decide the version of kin-openapi.
OASDIFF := go run github.com/oasdiff/oasdiff@v1.36.0
CHECKS := needs generated format vet lint linters build race fuzz short-torture breaking generators benchmarks proxies deploy-files

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: run
run: build ## Build and serve on http://127.0.0.1:8080; the first start prints a key and a curl
	@exec $(BINARY) serve

.PHONY: test
test: needs ## Run all tests
	go test $(PACKAGES)

.PHONY: check
check: ## All that CI does: generate and compare, format, vet, lint, linters, build, race, fuzz, short-torture, breaking, generators, benchmarks, proxies, deploy-files
	@for target in $(CHECKS); do \
		SECONDS=0; $(MAKE) $$target; echo "check: $$target took $$SECONDS s"; \
	done

.PHONY: generate
generate: ## Make the Go code, and the JSON that the server reads, from openapi.yaml
	go generate ./...

.PHONY: generated
generated: generate
	@if ! git rev-parse --git-dir >/dev/null 2>&1; then echo 'generated: NOT COMPARED: this is not a git checkout'; \
	elif ! git --no-pager diff --exit-code --stat -- '*.gen.*' || git ls-files --others -- '*.gen.*' | grep .; then \
		echo 'generated: git has other files than openapi.yaml makes now. Run: git add --all "*.gen.*"'; \
		echo '           (and delete those that no line in gen.go makes)'; exit 1; fi

.PHONY: build
build: ## Build bin/sharelinks, stripped and without cgo
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/sharelinks

# Archives of one commit have the same bytes wherever they are made: with the same Go, GNU tar and zip.
TARGETS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
DIST := dist

.PHONY: release
release: ## Build an archive for each of TARGETS, and their SHA-256 sums, in DIST (dist)
	@command -v zip >/dev/null || .ci/needs zip
	@.ci/release $(DIST) $(VERSION) $(TARGETS)

.PHONY: vet
vet: ## go vet
	go vet -tags torture $(PACKAGES)

.PHONY: lint
lint: ## staticcheck, and exhaustive: a switch or map over an enumeration of the contract has all its values
	go tool staticcheck -tags torture $(PACKAGES)
	go tool exhaustive -check=switch,mapliteral '-typeonly=/sharelinks/api\.' $(PACKAGES)

.PHONY: linters
linters: ## Hold openapi.yaml to the recommended rules of Redocly and Spectral, and lint the Dockerfile
	@.ci/needs e2e/linters
	@! [ -f e2e/linters/node_modules/.package-lock.json ] || { cd e2e/linters; \
		node_modules/.bin/spectral lint --fail-severity warn $(CURDIR)/openapi.yaml && \
		REDOCLY_SUPPRESS_UPDATE_NOTICE=true node_modules/.bin/redocly lint $(CURDIR)/openapi.yaml && \
		node_modules/.bin/dockerfile-utils lint $(CURDIR)/deploy/Dockerfile; }

.PHONY: format
format: ## Fail when a Go file is not formatted by gofumpt
	@unformatted=$$(go tool gofumpt -l .); if [ -n "$$unformatted" ]; then \
		echo "$$unformatted"; echo 'run: go tool gofumpt -w .'; exit 1; fi

.PHONY: race
race: needs ## Run all tests with the race detector; but without where they start the command, into which it does not see
	go test -race -skip '^TestScripts$$' $$(go list $(PACKAGES) | grep -v /e2e$$)
	go test ./cmd/sharelinks ./e2e

.PHONY: fuzz
fuzz: ## Run every fuzz test FUZZTIME (2500x): a number of times, or for a time such as 1m
	@grep -roE --include='*_test.go' '^func Fuzz[A-Za-z]+' . | sed 's|/[^/]*:func | |' | while read -r package target; do \
		echo "fuzz $$target in $$package"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
	done

# The other faults are repeated in proportion to the kills. What is drawn by lot comes from the seed, which is printed.
ROUNDS := 200
SEED := 0

.PHONY: torture
torture: needs ## Put servers through faults, ROUNDS (200) kills among them; SEED repeats a run
	go test -tags torture -count=1 -timeout 3h -parallel 12 -v -run '^TestTorture' ./e2e -args -rounds $(ROUNDS) -seed $(SEED)

.PHONY: short-torture
short-torture:
	@$(MAKE) torture ROUNDS=10

.PHONY: generators
generators: needs build ## Generate clients from openapi.yaml with other generators, compile them and use them
	cd e2e/generators && SHARELINKS_BINARY=$(CURDIR)/bin/sharelinks go test -count=1 -timeout 30m -v .

.PHONY: benchmarks
benchmarks: build ## Check the program behind make bench: a small run that times nothing
	@.ci/needs wrk
	cd e2e/bench && go vet ./... && SHARELINKS_BINARY=$(CURDIR)/$(BINARY) go test -count=1 ./...

.PHONY: proxies
proxies: needs build ## Two servers on one PostgreSQL behind nginx and Caddy, with the configurations in deploy
	@.ci/needs nginx caddy
	cd e2e/proxies && go vet . && SHARELINKS_BINARY=$(CURDIR)/$(BINARY) go test -count=1 -v .

.PHONY: deploy-files
deploy-files: ## Check the other files in deploy, and that make release makes the same bytes again
	@.ci/needs systemd-analyze=systemd
	cd e2e/deploy && go vet . && go test -count=1 -v .

.PHONY: microbench
microbench: needs ## Run the Go benchmarks, allocations included
	go test -run '^$$' -bench . -benchmem ./server ./internal/store

# What is chosen with BENCH is only a part, so it is printed and not written to docs.
BENCH :=

.PHONY: bench
bench: build bin/bench ## Measure the binary beside bare Echo (with wrk), write docs/performance.md; or print a part: BENCH='-links 1000'
	@bin/bench -binary $(BINARY) $(or $(BENCH),-docs docs)

.PHONY: bench-peers
bench-peers: build bin/bench ## Measure creates beside Prism's mock (with wrk and npm)
	@npm ci --prefix e2e/bench/peers --ignore-scripts --no-audit --no-fund --silent
	@bin/bench -binary $(BINARY) -prism e2e/bench/peers/node_modules/.bin/prism $(BENCH)

.PHONY: bin/bench
bin/bench:
	@.ci/needs wrk
	cd e2e/bench && go build -o $(CURDIR)/bin/bench .

.PHONY: screenshots
screenshots: needs ## Write a picture of each state of the pages to docs/screenshots
	go test -count=1 -run '^Test(Screenshots|DashboardViews|VisitorTalksToAnam|AnamHangsUp|AnotherPlayer|Orb|PlayerOnASite|VisitorIsWarned|VisitorWrites)' ./e2e \
		-args -screenshots $(CURDIR)/docs/screenshots

.PHONY: needs
needs: ## Install what the tests need besides Go: PostgreSQL, Chromium, the player
	@.ci/needs

.PHONY: breaking
breaking: ## Fail when openapi.yaml breaks clients of the last release, see .ci/released/breaking.txt
	@$(OASDIFF) breaking --fail-on ERR --flatten-allof --format singleline --color never \
		--err-ignore .ci/released/breaking.txt .ci/released/openapi.yaml openapi.yaml || { \
		echo 'breaking: to break them on purpose, add the lines above to .ci/released/breaking.txt'; exit 1; }
