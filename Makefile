# Everything a person or CI does with this project. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 5s
PACKAGES := ./...

# Packages whose speed a request does not feel, compiled for size: without inlining. See docs/adr/0009.
COLD := google.golang.org/protobuf/... github.com/prometheus/... github.com/spf13/... github.com/pressly/... \
	golang.org/x/text/... golang.org/x/crypto/... golang.org/x/net/... golang.org/x/sync/... github.com/santhosh-tekuri/... \
	github.com/oasdiff/... github.com/getkin/... github.com/go-openapi/... github.com/swaggest/... github.com/jackc/... \
	github.com/golang-jwt/... github.com/sony/... github.com/hashicorp/... github.com/valyala/... \
	github.com/labstack/gommon/... go.uber.org/... crypto/... encoding/asn1 encoding/xml math/big compress/... regexp/... \
	mime/... net net/mail net/textproto text/template/... html/template

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: run
run: build ## Build and serve on http://127.0.0.1:8080; the first start prints a key and a curl
	@exec bin/sharelinks serve

.PHONY: build
build: ## Build bin/sharelinks, stripped and without cgo
	CGO_ENABLED=0 go build -trimpath $(COLD:%='-gcflags=%=-l') -ldflags '-s -w -funcalign=16 -X main.version=$(VERSION)' \
		-o bin/sharelinks ./cmd/sharelinks

.PHONY: test
test: needs ## Run all tests
	go test $(PACKAGES)

.PHONY: check
check: needs stale format vet lint build race fuzz generators ## All that CI does: generate and compare, format, vet, lint, build, race, fuzz, generators

.PHONY: generate
generate: ## Make the Go code from openapi.yaml
	go generate ./...

.PHONY: stale
stale: ## Fail when the generated code is not what openapi.yaml makes
	.ci/stale

.PHONY: format
format: ## Fail when a Go file is not formatted by gofumpt
	@unformatted=$$(go tool gofumpt -l .); if [ -n "$$unformatted" ]; then \
		echo "$$unformatted"; echo 'run: go tool gofumpt -w .'; exit 1; fi

.PHONY: vet
vet: ## go vet
	go vet $(PACKAGES)

.PHONY: lint
lint: ## staticcheck
	go tool staticcheck $(PACKAGES)

.PHONY: race
race: ## Run all tests with the race detector
	go test -race $(PACKAGES)

.PHONY: fuzz
fuzz: ## Run every fuzz test for FUZZTIME (5s)
	@for package in $$(go list $(PACKAGES)); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "fuzz $$target in $$package"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: generators
generators: needs build ## Generate clients from openapi.yaml with other generators, compile them and use them
	cd e2e/generators && SHARELINKS_BINARY=$(CURDIR)/bin/sharelinks go test -count=1 -timeout 30m -v .

.PHONY: bench
bench: ## Run the Go benchmarks, allocations included
	go test -run '^$$' -bench . -benchmem ./server ./internal/store

.PHONY: load
load: build ## Creates over loopback at 64 connections, beside a bare Echo handler (needs wrk)
	go run ./e2e/load -binary bin/sharelinks

.PHONY: screenshots
screenshots: ## Write a picture of each state of the visitor page to docs/screenshots
	go test -count=1 -run '^Test(Screenshots|VisitorTalksToAnam|AnamHangsUp|AnotherPlayer|Orb|PlayerOnASite)' ./e2e \
		-args -screenshots $(CURDIR)/docs/screenshots

.PHONY: needs
needs: ## Install what the tests need besides Go: PostgreSQL, Chromium, the player
	@.ci/needs
