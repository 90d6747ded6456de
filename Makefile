# SPDX-License-Identifier: Apache-2.0
# flame_prof: the NIF, the command, their tests. `make help` lists the targets.
#
# V=1 shows the commands; BUILD=DIR builds elsewhere; CFLAGS, LDFLAGS are yours.

BUILD ?= build
NIF_SO := priv/flame_prof_nif.so
CLI_BIN := priv/bin/flameprof
PORT_BIN := priv/bin/flame_prof_port

CLANG ?= clang
BPFTOOL ?= $(or $(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
PKG_CONFIG ?= pkg-config
ERL ?= erl
ERLC ?= erlc
REBAR3 ?= rebar3
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
READELF ?= readelf

# Empty where this is somebody's dependency: a newer compiler's new warning is
# ours to fix, not a reason for their build to fail.
WERROR ?= -Werror
SANITIZE ?=

# `-D_GNU_SOURCE=` is what `#define _GNU_SOURCE` says, so both may be there.
ALL_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra $(WERROR) -D_GNU_SOURCE= \
	-fPIC -fvisibility=hidden -fno-omit-frame-pointer \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all) \
	-Ic_src $(CFLAGS)
ALL_LDFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
LIBS = -pthread -ldl

# --- what is made of what -----------------------------------------------------

COMMON_DIRS := base model store sinks unwind
NIF_DIRS := $(COMMON_DIRS) capture/beam symbols/beam record/beam nif
CLI_DIRS := $(COMMON_DIRS) import capture/system symbols/system record/system query export cli
# For a static libelf that lacks what it calls; see there.
LIBELF_GAP := c_src/capture/system/libelf_gap.c
libelf_gap = $(shell nm "$$($(CC) -print-file-name=libelf.a)" 2>/dev/null | awk \
	'/ U eu_search_tree_init/ { used = 1 } / T eu_search_tree_init/ { there = 1 } \
	END { if (used && !there) print "$(call objects,$(LIBELF_GAP))" }')
# Both ways to zlib, and to zstd, give the same functions: the NIF finds it at run time, the
# command is linked with it.
NIF_NOT := $(addprefix c_src/store/,gzip_linked.c zstd_linked.c stream_decoder_linked.c zlib_stream_linked.c)
CLI_NOT := $(addprefix c_src/store/,gzip_dlopen.c zstd_dlopen.c stream_decoder_dlopen.c \
	zlib_stream_dlopen.c deflate_dlopen.c) $(addprefix c_src/cli/,port_main.c port_guard.c) $(LIBELF_GAP)
# What reads files for an Erlang node, outside of it; built wherever the NIF is.
PORT_DIRS := base model store import query export
PORT_CLI := $(addprefix c_src/cli/,port_main.c port_frame.c port_guard.c cmd_export.c cmd_heatmap.c \
	cmd_report.c command.c file_output.c number_text.c profile_source.c view_options.c view_run.c)

sources = $(foreach dir,$(1),$(sort $(wildcard c_src/$(dir)/*.c)))
objects = $(patsubst c_src/%.c,$(BUILD)/obj/%.o,$(1))
cli_objects = $(patsubst c_src/%.c,$(BUILD)/cli/%.o,$(1))

NIF_SOURCES := $(filter-out $(NIF_NOT),$(call sources,$(NIF_DIRS)))
# Names of Erlang code; the rest of that folder is about the process it runs in.
CLI_BEAM := $(addprefix c_src/symbols/beam/,code_known.c code_map.c code_memo.c code_module.c code_module_list.c \
	gdb_symfile.c)
CLI_SOURCES := $(filter-out $(CLI_NOT),$(call sources,$(CLI_DIRS))) $(CLI_BEAM)
PORT_SOURCES := $(filter-out $(NIF_NOT),$(call sources,$(PORT_DIRS))) $(PORT_CLI)
# Unit tests see every layer but the two outermost entrances.
LAYER_SOURCES := $(filter-out c_src/nif/% c_src/cli/main.c $(CLI_NOT),\
	$(sort $(call sources,$(NIF_DIRS) $(CLI_DIRS))))

NIF_OBJECTS := $(call objects,$(NIF_SOURCES))
CLI_OBJECTS := $(call cli_objects,$(CLI_SOURCES))
PORT_OBJECTS := $(call objects,$(PORT_SOURCES))
LAYER_OBJECTS := $(call objects,$(LAYER_SOURCES))
LAYERS := $(BUILD)/layers.a

BPF_DIR := $(BUILD)/bpf
BPF_OBJECT := $(BPF_DIR)/sampler.bpf.o
BPF_SKELETON := $(BPF_DIR)/sampler.skel.h

UNIT_TESTS := $(patsubst test/c/%.c,$(BUILD)/test/c/%,$(sort $(wildcard test/c/*_test.c)))
FUZZERS := $(patsubst test/fuzz/%.c,$(BUILD)/test/fuzz/%,$(sort $(wildcard test/fuzz/*_fuzz.c)))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

ifeq ($(V),1)
quiet =
msg =
else
quiet = @
msg = @printf '  %-8s %s\n' '$(1)' '$(2)';
endif
# `make -s` says nothing but what is wrong.
silent := $(findstring s,$(filter-out --%,$(firstword $(MAKEFLAGS))))
ifneq ($(silent),)
msg =
endif

# --- what must be there -------------------------------------------------------
# need NAME,TEST,REMEDY: one line when something is missing.
need = @{ $(2); } >/dev/null 2>&1 || { echo 'flame_prof: $(1) is missing: $(3)' >&2; exit 1; }

# Asked of erl itself, once, and only where it is needed.
ERL_INCLUDE = $(eval ERL_INCLUDE := $(shell $(ERL) -noshell -noinput -eval \
	'io:format("~ts/usr/include", [code:root_dir()]), halt().' 2>/dev/null))$(ERL_INCLUDE)
# zlib also comes first: Debian sid's static libelf has a crc32() of its own, and
# whichever is met first must be zlib's, whose file has more that is needed.
SYSTEM_LIBS = $(eval SYSTEM_LIBS := -liberty -lz $(shell $(PKG_CONFIG) --static --libs libbpf libelf \
	zlib libzstd liblzma 2>/dev/null) -lm)$(SYSTEM_LIBS)
SYSTEM_CFLAGS = $(eval SYSTEM_CFLAGS := $(shell $(PKG_CONFIG) --cflags libbpf libelf zlib \
	2>/dev/null))$(SYSTEM_CFLAGS)

.PHONY: need-cc need-erl need-bpf need-libs
need-cc:
	@test "$$(uname -s)" = Linux || \
		{ echo 'flame_prof: the C parts are for Linux; elsewhere the Erlang modules do without: make beam' >&2; exit 1; }
	$(call need,a C compiler ($(CC)),command -v $(CC),apt-get install gcc libc6-dev)
need-erl: need-cc
	$(call need,Erlang ($(ERL)),command -v $(ERL),apt-get install erlang-base erlang-dev)
	$(call need,erl_nif.h,test -f "$(ERL_INCLUDE)/erl_nif.h",apt-get install erlang-dev)
need-bpf:
	$(call need,clang,command -v $(CLANG),apt-get install clang)
	$(call need,bpftool,command -v $(BPFTOOL),apt-get install bpftool)
need-libs: need-cc
	$(call need,pkg-config,command -v $(PKG_CONFIG),apt-get install pkg-config)
	$(call need,libbpf (static),$(PKG_CONFIG) --exists libbpf,apt-get install libbpf-dev)
	$(call need,libelf (static),$(PKG_CONFIG) --exists libelf,apt-get install libelf-dev)
	$(call need,zlib (static),$(PKG_CONFIG) --exists zlib,apt-get install zlib1g-dev)
	$(call need,libzstd (static),$(PKG_CONFIG) --exists libzstd,apt-get install libzstd-dev)
	$(call need,liblzma (static),$(PKG_CONFIG) --exists liblzma,apt-get install liblzma-dev)
	$(call need,libiberty,echo '#include <libiberty/demangle.h>' | $(CC) -E -,apt-get install libiberty-dev)

# --- build --------------------------------------------------------------------

.PHONY: all nif cli bpf beam
all: nif cli beam ## Build the NIF, the command and the Erlang modules

# Emptied by tools/nif-hook where only the library can be built.
NIF_WITH := $(PORT_BIN)
nif: $(NIF_SO) $(NIF_WITH) ## Build priv/flame_prof_nif.so (a C compiler and Erlang headers, nothing else)

$(NIF_SO): $(NIF_OBJECTS) | need-erl
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(quiet)$(CC) -shared -Wl,-z,nodelete -Wl,-z,now $(ALL_LDFLAGS) -o $@.new $(NIF_OBJECTS) $(LIBS)
	$(quiet)mv $@.new $@

# A refused allocation must not go unnoticed there (c_src/cli/port_guard.c).
WRAPPED := $(foreach name,malloc calloc realloc,-Wl,--wrap=$(name))
$(PORT_BIN): $(PORT_OBJECTS) | need-cc
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(quiet)$(CC) $(ALL_LDFLAGS) $(WRAPPED) -o $@.new $(PORT_OBJECTS) -lm $(LIBS)
	$(quiet)mv $@.new $@

cli: $(CLI_BIN) ## Build priv/bin/flameprof, one static binary

$(CLI_BIN): $(CLI_OBJECTS) $(call objects,$(LIBELF_GAP)) | need-libs
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(quiet)$(CC) -static $(ALL_LDFLAGS) $(if $(LTO),$(LTO) -O2 -fno-pic) -o $@.new $(CLI_OBJECTS) $(libelf_gap) \
		$(SYSTEM_LIBS) $(LIBS)
	$(quiet)mv $@.new $@

# The command is one program, looked at as a whole: a recorder wakes where its code is not near
# any more, and the less of it there is, the sooner it sleeps again. Empty where the compiler
# cannot.
LTO = $(eval LTO := $(shell echo 'int main(void) { return 0; }' | $(CC) -flto=auto -static -x c - \
	-o /dev/null 2>/dev/null && echo -flto=auto))$(LTO)
$(BUILD)/cli/%.o: private ALL_CFLAGS += -fno-pic $(LTO)

both = $(foreach dir,obj cli,$(addprefix $(BUILD)/$(dir)/,$(1)))
# Loops over whole columns.
$(call both,query/%.o model/profile_column.o store/capture_column_write.o): private ALL_CFLAGS += -O3
$(call both,export/page_files.o): $(wildcard web/page/*)
$(BUILD)/obj/nif/%.o: private ALL_CFLAGS += -I$(ERL_INCLUDE)
$(call objects,$(call sources,nif)): | need-erl
$(call both,capture/system/%.o): private ALL_CFLAGS += -I$(BPF_DIR) -Ibpf $(SYSTEM_CFLAGS)
$(call objects,$(call sources,capture/system)) $(call cli_objects,$(call sources,capture/system)): \
	| $(BPF_SKELETON) need-libs

define compile
	@mkdir -p $(@D)
	$(call msg,CC,$<)
	$(quiet)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
endef

$(BUILD)/obj/%.o: c_src/%.c $(BUILD)/flags | need-cc
	$(compile)
$(BUILD)/cli/%.o: c_src/%.c $(BUILD)/flags | need-cc
	$(compile)

count_instructions = $(READELF) -sW $@.raw | awk '$$4 == "FUNC" \
	{ printf "  %-8s %-36s %5d instructions\n", "", $$8, $$3 / 8 }'

# Other flags, or another compiler, rebuild; warnings being errors or not do not.
FLAGS = $(CC) $(filter-out -Werror,$(ALL_CFLAGS))
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@
.PHONY: FORCE

bpf: $(BPF_SKELETON) ## Build the BPF object and its skeleton, show instruction counts

$(BPF_DIR)/%.bpf.o: bpf/%.bpf.c | need-bpf
	@mkdir -p $(@D)
	$(call msg,BPF,$<)
	$(quiet)$(CLANG) -target bpf -g -O2 -mcpu=v3 -Wall -Wextra -Werror -D__TARGET_ARCH_$(BPF_ARCH) \
		-Ibpf -idirafter /usr/include/$(MULTIARCH) -MMD -MP -MT $@ -MF $(@:.o=.d) \
		-c -o $@.raw $<
	$(quiet)$(BPFTOOL) gen object $@ $@.raw
	$(if $(silent),,@$(count_instructions))
	@rm -f $@.raw

$(BPF_DIR)/%.skel.h: $(BPF_DIR)/%.bpf.o
	$(call msg,SKEL,$@)
	$(quiet)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

MACHINE = $(shell uname -m)
BPF_ARCH = $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(MACHINE)))
MULTIARCH = $(shell $(CC) -print-multiarch 2>/dev/null)

# Modules into ebin/, as `erl -pa ebin` wants them; rebar3 has its own _build/.
ERL_SOURCES := $(sort $(wildcard src/*.erl))
# Those that others implement come first.
ERL_BEHAVIOURS = $(shell grep -l '^-callback' /dev/null $(ERL_SOURCES))
ERLC_ALL = $(ERLC) +debug_info +warnings_as_errors +warn_missing_spec -o ebin
beam: ebin/.compiled ## Compile the Erlang modules into ebin/

ebin/.compiled: $(ERL_SOURCES) $(wildcard src/*.app.src src/*.hrl include/*.hrl)
	$(call need,the Erlang compiler ($(ERLC)),command -v $(ERLC),apt-get install erlang-base)
	@mkdir -p ebin
	$(call msg,ERLC,$(words $(ERL_SOURCES)) modules)
	$(quiet)rm -f ebin/*.beam && $(ERLC_ALL) $(ERL_BEHAVIOURS) && $(ERLC_ALL) -pa ebin \
		$(filter-out $(ERL_BEHAVIOURS),$(ERL_SOURCES))
	$(quiet)escript tools/write-app src/flame_prof.app.src ebin $(ERL_SOURCES)
	@touch $@

# --- unit tests and fuzzing ---------------------------------------------------

$(LAYERS): $(LAYER_OBJECTS)
	$(call msg,AR,$@)
	@rm -f $@
	$(quiet)$(AR) rcs $@ $(LAYER_OBJECTS)

$(BUILD)/test/%: private ALL_CFLAGS += -Itest/c -Ibpf -I$(BPF_DIR)
$(BUILD)/test/c/%: test/c/%.c test/c/test.h $(LAYERS)
	@mkdir -p $(@D)
	$(call msg,TEST,$<)
	$(quiet)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) \
		-o $@ $< $(LAYERS) $(SYSTEM_LIBS) $(LIBS)

$(BUILD)/test/fuzz/%: test/fuzz/%.c $(LAYERS)
	@mkdir -p $(@D)
	$(call msg,FUZZER,$<)
	$(quiet)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d $(ALL_LDFLAGS) \
		-o $@ $< $(LAYERS) $(SYSTEM_LIBS) $(LIBS)

# C programs that scripts in bench/ run.
benches: $(patsubst bench/c/%.c,$(BUILD)/bench/%,$(wildcard bench/c/*.c))
$(BUILD)/bench/%: bench/c/%.c $(LAYERS)
	@mkdir -p $(@D)
	$(call msg,BENCH,$<)
	$(quiet)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) \
		-o $@ $< $(LAYERS) $(SYSTEM_LIBS) $(LIBS)

FUZZ_SECONDS ?= 20
# Older sanitizers die now and then where a newer kernel spreads addresses wider
# (vm.mmap_rnd_bits=32) than they know.
without_aslr = $(shell setarch -R true 2>/dev/null && echo setarch -R)

.PHONY: unit-tests threaded-tests fuzzers benches check-unit check-asan check-tsan fuzz
unit-tests: $(UNIT_TESTS)
fuzzers: $(FUZZERS)

check-unit: $(UNIT_TESTS) ## Run the C unit tests
	@tools/run-unit-tests $(UNIT_TESTS)

check-asan: ## Run the C unit tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined unit-tests
	@TEST_RUNNER="$(without_aslr)" tools/run-unit-tests $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/asan/%)

# Tests of what threads share.
THREADED_TESTS := $(foreach name,spsc_ring guarded_read process_snapshot jit_code_list walker \
	walker_sample walker_selection beam_recording process_stack \
	armed_recording,$(BUILD)/test/c/$(name)_test)
threaded-tests: $(THREADED_TESTS)

check-tsan: ## Run the C unit tests with threads under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=thread threaded-tests
	@TEST_RUNNER="$(without_aslr)" tools/run-unit-tests $(THREADED_TESTS:$(BUILD)/%=$(BUILD)/tsan/%)

# Twice: once against what is outside of memory, once against what nobody wrote. What
# libzstd unpacks for capture_reader is, to the second, of the latter kind.
MEMORY_FUZZERS := $(filter-out %/capture_reader_fuzz,$(FUZZERS:$(BUILD)/%=$(BUILD)/fuzz/memory/%))
fuzz: ## Fuzz every reader of foreign bytes for FUZZ_SECONDS (20) each
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC='$(CLANG)' \
		SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz/memory CC='$(CLANG)' \
		SANITIZE=fuzzer-no-link,memory $(MEMORY_FUZZERS)
	@TEST_RUNNER="$(without_aslr)" tools/run-fuzzers $(FUZZ_SECONDS) $(BUILD)/fuzz \
		$(FUZZERS:$(BUILD)/%=$(BUILD)/fuzz/%) $(MEMORY_FUZZERS)

# --- checks -------------------------------------------------------------------
# Each closes with "N passed, N failed, N skipped"; `make check` runs them all.

SHELL_SCRIPTS = $(sort $(shell grep -lE '^\#!/bin/(ba)?sh' $(wildcard tools/* demo/* bench/* .ci/* \
	test/*/* deploy/*/*) 2>/dev/null))
TIDY := $(patsubst c_src/%.c,$(BUILD)/tidy/%.ok,$(sort $(NIF_SOURCES) $(PORT_SOURCES) $(CLI_SOURCES)))

.PHONY: check check-lint check-tidy check-tools check-beam check-beam-asan check-beam-static check-system \
	check-trees check-trees-ready tidy fmt

check: ## Install what tests need, build, run every check
	@tools/run-checks

check-lint: nif ## Layers, NIF symbols, signal safety, format, white space, scripts
	@CLANG_FORMAT='$(CLANG_FORMAT)' tools/check-lint $(BUILD) $(SHELL_SCRIPTS)

check-tidy: $(BPF_SKELETON) ## clang-tidy on every C source
	@MAKE='$(MAKE)' CLANG_TIDY='$(CLANG_TIDY)' tools/check-tidy $(BUILD) $(TIDY)

tidy: $(TIDY)
$(BUILD)/tidy/nif/%.ok: private ALL_CFLAGS += -I$(ERL_INCLUDE)
$(BUILD)/tidy/capture/system/%.ok: private ALL_CFLAGS += -I$(BPF_DIR) -Ibpf $(SYSTEM_CFLAGS)
# Follows the object, which knows the headers.
$(BUILD)/tidy/%.ok: c_src/%.c $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D) && rm -f $@
	$(call msg,TIDY,$<)
	$(quiet)$(CLANG_TIDY) --quiet $< -- $(filter-out -Werror,$(ALL_CFLAGS)) 2>$@.log || \
		{ grep -v ' warnings\? generated' $@.log >&2; exit 1; }
	@touch $@

check-tools: $(BUILD)/test/system/bpf_verifier ## Plant a fault for each of our own tools and see it found
	@VERIFIER=$(abspath $<) tools/run-unit-tests $(sort $(wildcard test/tools/*_test.sh))

check-beam: nif beam ## EUnit and common test on the Erlang that is here
	@tools/check-beam suites

check-beam-static: nif beam ## xref, dialyzer, edoc
	@tools/check-beam static

check-beam-asan: ## The same with the NIF under AddressSanitizer and UBSan
	@tools/check-beam asan

check-system: cli $(BPF_OBJECT) $(BUILD)/test/system/bpf_verifier ## BPF through this kernel's verifier, and the tests of the command
	@TEST_TIMEOUT=2400 BPF_OBJECT=$(BPF_OBJECT) tools/run-unit-tests $(BUILD)/test/system/bpf_verifier \
		$(sort $(wildcard test/system/*_test.sh))

$(BUILD)/test/system/%: test/system/%.c $(BUILD)/flags | need-libs
	@mkdir -p $(@D)
	$(call msg,TEST,$<)
	$(quiet)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(SYSTEM_LIBS) $(LIBS)

check-trees: ## The Erlang suites on OTP 27 (Debian trixie) and 29 (sid), in trees made for it
	@tools/check-trees trixie sid

check-tree-%: # One of them
	@tools/check-trees $*

check-trees-ready: ## Only make those trees
	@tools/check-trees --ready trixie sid

fmt: ## Format the C sources in place
	$(CLANG_FORMAT) -i $(sort $(wildcard $(addsuffix /*.[ch],bpf test/c test/fuzz bench/c demo \
		c_src/* c_src/*/*)))

# --- the rest -----------------------------------------------------------------

.PHONY: deb install-deps install-test-deps demo clean help
deb: cli ## Build a Debian package of the command, with its service, into build/
	@tools/make-deb $(CLI_BIN) $(BUILD)

install-deps: ## Install what the build and the demo need, if it is missing
	@tools/install-deps build

install-test-deps: ## The same for the tests
	@tools/install-deps test

demo: ## Profile a busy Erlang node and its host for 20 s
	@tools/demo

clean: ## Remove what was built (trees and caches outside the project stay)
	rm -rf $(BUILD) _build ebin doc $(NIF_SO) $(PORT_BIN) $(CLI_BIN)

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

-include $(patsubst %.o,%.d,$(sort $(NIF_OBJECTS) $(PORT_OBJECTS) $(CLI_OBJECTS) $(LAYER_OBJECTS)))
-include $(UNIT_TESTS:=.d) $(FUZZERS:=.d) $(wildcard $(BUILD)/bench/*.d) $(BPF_OBJECT:.o=.d)
