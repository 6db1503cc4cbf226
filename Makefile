# The pipeline as file targets, each keyed on the marker of the stage before, and the housekeeping. `make help` lists what there is.

# A stage that ends with status 3 (too many failures) has written its marker; without this the next make would go on past it.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test test-served lint pipelines bench gpu-table soak report check-judge clean chromium

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# ---- the pipeline: make report MODEL=... JUDGE=... [RUBRIC=...] [BENCH=... or SOURCE=table.jsonl]

MODEL ?=
JUDGE ?=
RUBRIC ?= $(if $(filter check-judge,$(MAKECMDGOALS)),world,five)
SOURCE ?=
RUNS ?= shards/runs
BENCH ?= $(if $(SOURCE),$(RUNS)/$(basename $(notdir $(SOURCE)))/benchmark,shards/sample)
IMPORT_FLAGS ?=
EDIT_FLAGS ?=
SCORE_FLAGS ?=
# Options that change no result (--nproc, --max-failures, --retries ...): not in any folder's name.
EDIT_RUN ?=
SCORE_RUN ?=

# The command of each stage, so that each can come from an environment of its own.
EDITBENCH ?= $(BIN)/editbench
IMPORT_CMD ?= $(EDITBENCH) import
EDIT_CMD ?= $(EDITBENCH) edit
SCORE_CMD ?= $(EDITBENCH) score
REPORT_CMD ?= $(EDITBENCH) report

report: ## benchmark -> edits -> scores -> report, only what is not done yet: MODEL=... JUDGE=... [RUBRIC=five]
	$(if $(and $(MODEL),$(JUDGE)),,$(error make report needs MODEL=... and JUDGE=..., for example MODEL=Qwen/Qwen-Image-Edit-2511 JUDGE=Qwen/Qwen3-VL-30B-A3B-Instruct))
	@echo "report: $(SCORED)/report/report.html"

check-judge: ## how far a judge agrees with the truth of the small world: JUDGE=... [RUBRIC=world]
	$(if $(JUDGE),,$(error make check-judge needs JUDGE=..., for example JUDGE=Qwen/Qwen3-VL-30B-A3B-Instruct))
	@$(EDITBENCH) world accuracy $(^D)

ifneq ($(filter-out demo test test-served lint pipelines bench gpu-table soak clean help chromium,$(or $(MAKECMDGOALS),help)),)

# What is given is taken to the letter, and refused before anything runs where make or the shell would take it for something else.
# Names and paths: make splits them at blanks. Flags: words as one types them behind a command, in quotes where that takes some.
NAMES := MODEL JUDGE RUBRIC BENCH SOURCE RUNS
FLAGS := IMPORT_FLAGS EDIT_FLAGS SCORE_FLAGS EDIT_RUN SCORE_RUN
COMMANDS := EDITBENCH IMPORT_CMD EDIT_CMD SCORE_CMD REPORT_CMD
SPECIAL := ' " ` $$ \# ; & | < > ( ) * ? [
given = $(filter command environment,$(firstword $(origin $(1))))
$(foreach name,$(NAMES) $(FLAGS) $(COMMANDS),$(if $(call given,$(name)),$(eval override $(name) := $$(value $(name)))))

define newline :=


endef
quoted = '$(subst ','\'',$(1))'
any-of = $(strip $(foreach each,$(1),$(findstring $(each),$(2))))
outside-quotes = $(shell printf '%s\n' $(call quoted,$(1)) | sed -E "s/'[^']*'|\"([^\"\\\$$\`]|\\\\.)*\"|\\\\.//g")
refuse = $(error $(1)=$(call quoted,$($(1))): $(2))
$(foreach name,$(NAMES) $(FLAGS) $(COMMANDS),$(if $(findstring $(newline),$($(name))),$(call refuse,$(name),a line break)))
$(foreach name,$(NAMES),$(if $(or $(word 2,x$($(name))x),$(call any-of,$(SPECIAL) ] { } \ ! % =,$($(name)))),\
  $(call refuse,$(name),no blanks and none of $(SPECIAL) ] { } \ ! % = in names and paths; a link with a plain name will do)))
$(foreach name,BENCH SOURCE RUNS,$(if $(findstring :,$($(name))),$(call refuse,$(name),no colon in paths)))
$(foreach name,RUBRIC BENCH RUNS,$(if $($(name)),,$(call refuse,$(name),empty)))
$(foreach name,$(FLAGS),$(if $(call any-of,$(SPECIAL),$(call outside-quotes,$($(name)))),\
  $(call refuse,$(name),a quote does not end or one of $(SPECIAL) is for the shell; put such words in single quotes)))
$(foreach name,$(COMMANDS),$(if $(shell sh -nc $(call quoted,$($(name))) 2>&1),$(call refuse,$(name),not a command)))

# A folder a setting: what is in the name is a model, a judge, a rubric file's contents (with the .toml and .txt beside it, which it
# may extend or include), or flags, so other settings never meet.
slug = $(subst :,-,$(subst /,--,$(1)))
sum = $(if $(strip $(1)),-$(shell printf '%s' $(call quoted,$(1)) | cksum | cut -d' ' -f1))
rubric-sum = $(shell LC_ALL=C; export LC_ALL; cat $(RUBRIC) $(dir $(RUBRIC))*.toml $(dir $(RUBRIC))*.txt 2>/dev/null | cksum | cut -d' ' -f1)
bench-name := $(if $(SOURCE),$(basename $(notdir $(SOURCE))),$(notdir $(patsubst %/,%,$(BENCH))))
RUN := $(RUNS)/$(bench-name)/$(call slug,$(MODEL))$(call sum,$(EDIT_FLAGS))
JUDGED := $(call slug,$(JUDGE))-$(basename $(notdir $(RUBRIC)))$(if $(wildcard $(RUBRIC)),-$(rubric-sum))$(call sum,$(SCORE_FLAGS))
SCORED := $(RUN)/$(JUDGED)
READY := $(if $(findstring $(BIN)/editbench,$(EDIT_CMD) $(SCORE_CMD) $(REPORT_CMD) $(IMPORT_CMD)),$(VENV)/all)

ifneq ($(SOURCE),)
$(BENCH)/manifest.json: $(SOURCE) | $(READY)
	$(IMPORT_CMD) $(SOURCE) --out $(@D) $(IMPORT_FLAGS)
	@touch $@
endif

ifneq ($(and $(JUDGE),$(filter check-judge,$(MAKECMDGOALS))),)
KNOWN := perfect over-editing half-hearted wrong-place copy mixed
WORLD := $(RUNS)/world
check-judge: $(KNOWN:%=$(WORLD)/%/$(JUDGED)/scores/manifest.json)

$(KNOWN:%=$(WORLD)/%/edits/manifest.json): $(WORLD)/%/edits/manifest.json: shards/world/manifest.json | $(READY)
	$(EDIT_CMD) shards/world --model $* --out $(@D) $(EDIT_RUN)
	@touch $@

$(KNOWN:%=$(WORLD)/%/$(JUDGED)/scores/manifest.json): $(WORLD)/%/$(JUDGED)/scores/manifest.json: $(WORLD)/%/edits/manifest.json | $(READY)
	$(SCORE_CMD) $(WORLD)/$*/edits --model $(JUDGE) --rubric $(RUBRIC) --out $(@D) $(SCORE_FLAGS) $(SCORE_RUN)
	@touch $@

else ifneq ($(and $(MODEL),$(JUDGE)),)
report: $(SCORED)/report/report.json

$(RUN)/edits/manifest.json: $(BENCH)/manifest.json | $(READY)
	$(EDIT_CMD) $(BENCH) --model $(MODEL) --out $(@D) $(EDIT_FLAGS) $(EDIT_RUN)
	@touch $@

$(SCORED)/scores/manifest.json: $(RUN)/edits/manifest.json | $(READY)
	$(SCORE_CMD) $(RUN)/edits --model $(JUDGE) --rubric $(RUBRIC) --out $(@D) $(SCORE_FLAGS) $(SCORE_RUN)
	@touch $@

$(SCORED)/report/report.json: $(SCORED)/scores/manifest.json | $(READY)
	$(REPORT_CMD) $(SCORED)/scores --out $(@D)
endif
endif

# ---- the demo: the small world, whose truth is known, on the CPU. Editors of known quality beside a tiny Qwen-Image-Edit with random
# weights, all judged by the tiny Qwen3-VL that was trained on such pictures.

DEMO := shards/demo
CPU := CUDA_VISIBLE_DEVICES= $(BIN)/editbench
TINY := $(DEMO)/models/judge-world/config.json
CONTROLS := perfect mixed copy
SHOWN := $(CONTROLS) tiny-editor

demo: $(DEMO)/report/report.json $(DEMO)/truth/report.json ## set up and run the main job on the small world, with tiny models (no GPU, no download)
	@echo
	@echo "Edits:   $(SHOWN:%=$(DEMO)/%/edits)"
	@echo "Report:  $(DEMO)/report/report.html   the leaderboard, and every edit with its score"
	@echo "         $(DEMO)/truth/report.html    the same judge beside the truth: how far can it be trusted?"
	@echo "The small world is a toy: things on photographs, programmed edits whose right score is known, and a judge of 1.5 million"
	@echo "weights that has learned this world and no other. tiny-editor has random weights. Real models, on this machine's GPUs:"
	@echo "  make report MODEL=Qwen/Qwen-Image-Edit-2511 JUDGE=Qwen/Qwen3-VL-30B-A3B-Instruct"
	@echo "  make check-judge JUDGE=Qwen/Qwen3-VL-30B-A3B-Instruct    # how far that judge agrees with the truth of the small world"

$(TINY): | $(VENV)/all
	$(BIN)/editbench tiny $(DEMO)/models

$(DEMO)/tiny-editor/edits/manifest.json: shards/world/manifest.json $(TINY)
	$(CPU) edit shards/world --model $(DEMO)/models/editor --out $(@D) --limit 30 --steps 4 --size 65536 --nproc 2
	@touch $@

$(CONTROLS:%=$(DEMO)/%/edits/manifest.json): $(DEMO)/%/edits/manifest.json: shards/world/manifest.json | $(VENV)/all
	$(CPU) edit shards/world --model $* --out $(@D) --limit 30 --nproc 1
	@touch $@

$(DEMO)/perfect/scores/manifest.json: AUDIT := --audit 100%

$(SHOWN:%=$(DEMO)/%/scores/manifest.json): $(DEMO)/%/scores/manifest.json: $(DEMO)/%/edits/manifest.json $(TINY)
	$(CPU) score $(<D) --model $(DEMO)/models/judge-world --rubric world $(AUDIT) --out $(@D) --nproc 1
	@touch $@

$(DEMO)/report/report.json: $(SHOWN:%=$(DEMO)/%/scores/manifest.json)
	$(BIN)/editbench report $(^D) $(SHOWN:%=--name %) --out $(@D)

$(DEMO)/truth/report.json: $(DEMO)/mixed/scores/manifest.json
	@mkdir -p $(@D)
	$(BIN)/editbench world truth $(DEMO)/mixed/edits $(DEMO)/truth.csv
	$(BIN)/editbench report $(<D) --name judge --ratings truth:0-10=$(DEMO)/truth.csv --out $(@D)

# ---- housekeeping

test: $(VENV)/dev chromium ## set up and run the tests
	$(BIN)/pytest -n 3 --dist worksteal

SERVED ?= shards/llama
test-served: $(VENV)/dev ## build llama-server once, and compare it with the in-process judge
	tests/served/build.sh $(SERVED) $(BIN)/python
	$(BIN)/python tests/served/compare.py $(SERVED)

# The report's page is tested in a real browser; where there is none and none can be installed, those tests are skipped and say so.
chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update \
	  && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium >/dev/null; } \
	  || echo "chromium is missing and can't be installed here: the tests in the browser will be skipped"

lint: $(VENV)/dev ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

pipelines: $(VENV)/dev ## write the table of diffusers' pipeline classes, editbench/edit/PIPELINES.md
	PYTHONPATH=tests/edit $(BIN)/python tests/edit/pipelines_table.py

bench: $(VENV)/dev ## measure speed; prints, and saves shards/bench.json
	$(BIN)/python tests/benchmarks/run.py --out shards/bench.json

gpu-table: $(VENV)/dev ## put what tests/gpu/editor.py and judge.py have measured into the README
	$(BIN)/python tests/gpu/table.py

soak: $(VENV)/dev ## twenty minutes of random kills
	PYTHONPATH=tests/fleet $(BIN)/python tests/fleet/test_random_kills.py 1200

clean: ## remove the environment, the demo and caches; runs stay
	rm -rf $(VENV) $(DEMO) .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find editbench tests shards -name __pycache__ -prune -exec rm -rf {} +

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

$(VENV)/all $(VENV)/dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(@F)]'
	@touch $@
