# `make help` lists the targets.
SHELL := bash
TAGS := disable_grpc_modules
BIN := bin/tidemark
SCRIPTS ?= 25

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: check
check: vet lint test alone ## what CI runs: vet, linters, all tests under the race detector, the root module alone
	$(MAKE) fuzz FUZZTIME=4000x

.PHONY: vet
vet: ## go vet of both modules, and gofmt
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./... ./local/...

.PHONY: lint
lint: ## golangci-lint of both modules, in the version that tools/go.mod pins
	GOWORK=off go build -C tools -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./... ./local/...

.PHONY: test
test: ## all tests under the race detector, with SCRIPTS random scripts of faults and kills
	E2E_SEEDS=$(SCRIPTS) go test -race -timeout 25m -parallel 4 ./... ./local/...

.PHONY: alone
alone: ## build and test the root module without the workspace, as releases are built
	GOWORK=off CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -o $(BIN) ./cmd/tidemark
	GOWORK=off CGO_ENABLED=0 go test ./...

.PHONY: build
build: ## build bin/tidemark, static, without debug information
	GOWORK=off CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '-s -w' -o $(BIN) ./cmd/tidemark

.PHONY: demo
demo: ## run the local demo until Ctrl-C
	go run ./local

.PHONY: docs
docs: ## regenerate docs/configuration.md, docs/metrics.md and the questions in docs/probe.md
	go test ./service -run 'TestDocs' -update
	go test ./probe -run 'TestDocs' -update

.PHONY: golden
golden: ## rewrite golden files; review the diff as code
	go test ./merge ./batch -update

.PHONY: sqlcheck
sqlcheck: ## analyze every statement with GoogleSQL itself (first build: minutes, 6 GB of memory)
	cd sqlcheck && GOWORK=off go test ./...

# By count, not by time: Go before 1.27 now and then calls the end of a time a failure (golang/go#75804).
FUZZTIME ?= 200000x
.PHONY: fuzz
fuzz: ## run each fuzzer FUZZTIME times
	@for p in model batch consumer loader service; do for f in $$(grep -ho 'func Fuzz[A-Za-z]*' $$p/*_test.go | cut -d' ' -f2); do \
		go test ./$$p -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x || exit 1; done; done

EXPLORE ?= 2,2,2,3,1,1,1,0,0,true 2,2,2,2,1,1,1,1,0,true 2,1,3,2,1,1,1,1,0,true 3,1,2,2,1,0,1,0,0,true 2,2,2,2,1,1,1,0,1,true
.PHONY: explore
explore: ## explore every interleaving of the driver within EXPLORE (minutes, several GB)
	GOMEMLIMIT=9GiB GOGC=60 go test ./batch -run '^TestExplore$$' -explore '$(EXPLORE)' -timeout 0 -v

SEEDS ?= 50000
.PHONY: crash
crash: ## run SEEDS random crash runs of the driver in virtual time
	go test ./batch -run '^TestCrash$$' -crash.seeds=$(SEEDS) -timeout 0

.PHONY: scripts
scripts: ## run SCRIPTS random scripts of faults and kills over real clients and processes
	E2E_SEEDS=$(SCRIPTS) go test ./local/prove/e2e -run '^TestCrash_Random' -timeout 0

PERSONS ?= 20
.PHONY: persons
persons: ## merge PERSONS random sets of histories of persons, and all orders of the known ones in every variant
	PERSONS_SEEDS=$(PERSONS) go test -count=1 -timeout 0 ./local/prove/persons

.PHONY: crash-matrix
crash-matrix: ## regenerate docs/crash-matrix.md from real kills
	go test ./local/prove/e2e -run '^TestCrash_AtEveryPoint' -update

.PHONY: kafka
kafka: ## fetch Apache Kafka 4 for the tests in local/prove/realkafka (44 MB; needs Java 17)
	local/prove/realkafka/kafka.sh fetch

.PHONY: realkafka
realkafka: kafka ## run the tests against Apache Kafka itself
	go test -race -count=1 -timeout 10m ./local/prove/realkafka

KILLS ?= 20
.PHONY: chaos
chaos: kafka ## kill replicas and Apache Kafka at random: make chaos KILLS=1000 SEED=1
	KILLS=$(KILLS) SEED=$(SEED) go test -count=1 -timeout 0 -v -run TestChaos ./local/prove/realkafka

.PHONY: bench
bench: ## measure Kafka to uploaded Parquet next to two ceilings, by cores, idle, and a merge (six minutes on two cores, 8 GB)
	go run ./local/measure/bench
	go run ./local/measure/bench --cores
	go run ./local/measure/bench --idle 10s
	$(MAKE) bench-merge

.PHONY: bench-merge
bench-merge: ## measure a merge of a million changes into ten million rows, and what it would cost (three minutes, 8 GB); bench does it too
	go run ./local/measure/bench --merge --memory 512MiB

.PHONY: bench-catch-up
bench-catch-up: ## measure the memory that catching up takes: 12 brokers, 512 partitions, 9 KB events (a minute)
	go run ./local/measure/bench --catch-up --memory 256MiB --records 100000

.PHONY: boundary
boundary: ## measure and draw the time from a period's end to its load job (two minutes)
	go run ./local/measure/bench --boundary docs/boundary.svg --memory 128MiB

.PHONY: flamegraph
flamegraph: ## profile tidemark and draw docs/flamegraph.svg
	go run ./local/measure/bench --flamegraph docs/flamegraph.svg --memory 1GiB --records 400000

BENCH ?= ^Benchmark(Decode|Append|Encode)$$
.PHONY: bench-steps
bench-steps: ## benchmarks of decode, append and encode, ready for benchstat (BENCH=. runs all there are)
	go test ./model ./buffer ./loader -run '^$$' -bench '$(BENCH)' -benchmem -count 6

.PHONY: bench-peers
bench-peers: ## compare tidemark with a plain consumer and kafka-connect-bigquery, also killed (20 minutes; the latter needs a JDK 17)
	local/measure/peers/connect.sh fetch || true
	go run ./local/measure/peers

.PHONY: image
image: ## build the container image
	docker build -t tidemark .
