# The commands of this repository. `make check` is what CI runs.

SWIFT ?= swift
DEMO_CONFIGURATION ?= debug
DEMO_ARGUMENTS ?=
FUZZ_SECONDS ?= 60
# Rounds of each fault; `make test` does two.
LEEWAY_TORTURE ?= 60

# What the build links and the page shows.
PACKAGES := libsqlite3-dev libpq-dev libzstd-dev zlib1g-dev libjs-chart.js postgresql
# What some tests compare with or need: a browser, promtool, amtool, reference values, a file system.
TEST_PACKAGES := chromium prometheus prometheus-alertmanager python3 python3-venv xfsprogs zstd
# The clients that others publish for the formats that we receive: senders of a test.
PYTHON_CLIENTS := cloudevents==2.2.0 requests==2.34.2 opentelemetry-sdk==1.45.2 \
	opentelemetry-exporter-otlp-proto-http==1.45.2 tritonclient[http]==2.73.0

.PHONY: help setup setup-tests build demo test torture check lint format rules bench fuzz clean

help:
	@echo "make demo         watch the whole loop: decay, request, retraining, verdict"
	@echo "make setup        install the system libraries that are missing (Debian, Ubuntu)"
	@echo "make test         all tests"
	@echo "make torture      crashes, failing disks, power cuts, for a long time"
	@echo "make check        what CI runs: format, warnings, tests, rules"
	@echo "make format       format the sources in place"
	@echo "make bench        benchmarks, release build"
	@echo "make fuzz         random bodies for the decoder, FUZZ_SECONDS=60; not part of check"

# $(call install,PACKAGES): nothing when all are there; apt-get as root; else the line to run.
define install
@missing=""; \
for package in $(1); do \
	dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' \
		|| missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	if [ "$$(id -u)" = 0 ]; then \
		echo "installing$$missing"; \
		log=$$(mktemp); \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing; } >"$$log" 2>&1 \
			|| { cat "$$log"; exit 1; }; \
	else \
		echo "Please run once: sudo apt-get install -y --no-install-recommends$$missing"; exit 1; \
	fi; \
fi
endef

setup:
	$(call install,$(PACKAGES))

setup-tests: setup
	$(call install,$(TEST_PACKAGES))
	@echo "$(PYTHON_CLIENTS)" | cmp -s - .build/python-clients/installed \
		|| { python3 -m venv .build/python-clients \
			&& .build/python-clients/bin/pip install --quiet --disable-pip-version-check $(PYTHON_CLIENTS) \
			&& echo "$(PYTHON_CLIENTS)" >.build/python-clients/installed; } \
		|| echo "The official Python clients could not be installed; their test reports itself skipped."

build: setup
	$(SWIFT) build

demo: setup
	$(SWIFT) build -c $(DEMO_CONFIGURATION) --product leeway
	@$$($(SWIFT) build -c $(DEMO_CONFIGURATION) --show-bin-path)/leeway demo $(DEMO_ARGUMENTS)

# The tests of the command line run the executable, so it is built first.
test: setup-tests
	$(SWIFT) build
	$(SWIFT) test

# The same fault tests as in `make test`, with many more rounds.
torture: setup
	$(SWIFT) build
	LEEWAY_TORTURE=$(LEEWAY_TORTURE) $(SWIFT) test --filter "FaultTests|CrashTests|BadInputSlowTests"

check: lint test rules

lint:
	$(SWIFT) format lint --strict --recursive Sources Tests Package.swift

format:
	$(SWIFT) format --in-place --recursive Sources Tests Package.swift

rules: build
	@$$($(SWIFT) build --show-bin-path)/leeway rules check rules

bench: setup
	$(SWIFT) build -c release --product leeway
	@$$($(SWIFT) build -c release --show-bin-path)/leeway bench

# A package of its own, because the fuzzer's flags would be everybody's. The build takes a minute, so
# `check` leaves it out. What it found lies in Fuzz/.build/corpus; a crash is a file beside it.
fuzz: setup
	$(SWIFT) build --package-path Fuzz -c release
	@mkdir -p Fuzz/.build/corpus
	SWIFT_BACKTRACE=enable=no Fuzz/.build/release/DecoderFuzzer -max_total_time=$(FUZZ_SECONDS) \
		-max_len=4096 -timeout=10 -rss_limit_mb=1024 -dict=Fuzz/json.dict -verbosity=0 \
		-print_final_stats=1 -artifact_prefix=Fuzz/.build/ Fuzz/.build/corpus Fuzz/seeds

clean:
	$(SWIFT) package clean
