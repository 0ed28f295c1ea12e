# Test binaries, fuzz targets, examples and benchmarks.
#
# tests/X/test_Y.c becomes $(B)/tests/X/test_Y, linked with the other .c files
# of its folder and of tests/support (helpers). fuzz/fuzz_Y.c becomes a corpus
# replayer with any compiler, and a libFuzzer target with clang.
# Where Criterion is missing (mk/machines.mk) a stand-in takes its place.

TEST_DIRS := $(filter-out tests/live tests/vectors tests/support,$(patsubst %/,%,$(wildcard tests/*/)))
# The command, and the compilers that try the headers, are this machine's.
TEST_DIRS := $(filter-out $(if $(TRIPLET),tests/cli tests/api),$(TEST_DIRS))
# The other end of TLS is OpenSSL's.
WITHOUT_TLS := $(filter none,$(WITH_TLS))$(if $(filter 1,$(HAS_OPENSSL)),,no)
TEST_DIRS := $(filter-out $(if $(WITHOUT_TLS),tests/tls),$(TEST_DIRS))
# test_library stands in for the functions of the codecs' libraries, and needs all.
TEST_LEFT_OUT := $(if $(CODECS_OUT),tests/compress/test_library.c)
TEST_SRC := $(filter-out tests/live/% $(TEST_LEFT_OUT),$(wildcard tests/*/test_*.c))
TEST_BIN := $(patsubst %.c,$(B)/%,$(filter $(addsuffix /%,$(TEST_DIRS)),$(TEST_SRC)))
TEST_HELP_SRC := $(filter-out $(TEST_SRC) $(TEST_LEFT_OUT) tests/live/%,$(wildcard tests/*/*.c))
TEST_OBJ := $(call obj,$(TEST_SRC) $(TEST_HELP_SRC) $(SHIM_DIR)/shim.c)

$(TEST_OBJ): $(B)/obj/%.o: %.c $(B)/flags
	$(COMPILE) $(TEST_CFLAGS) $(CFLAGS)
# The stand-in's headers count as system headers, which -MMD leaves out.
$(TEST_OBJ): $(wildcard $(SHIM_DIR)/criterion/*.h)

# The simulator is also what drives the core in these.
USES_tests/client = tests/sim/%
USES_tests/heap = tests/sim/%
# The core that does what a test tells it, and system calls that fail.
USES_tests/tls = tests/net/%
# Messages are built and compared by the same helpers.
USES_tests/json = tests/proto/%
helpers = $(call obj,$(filter $(1)/% tests/support/% $(USES_$(1)),$(TEST_HELP_SRC)))
define test_rule
$(B)/$(1)/test_%: $(B)/obj/$(1)/test_%.o $(call helpers,$(1)) $(TEST_LIB) $(filter %.o,$(TEST_MAIN))
	@mkdir -p $$(@D); echo "  LD    $$@"
	@$$(LINK) -o $$@ $$(filter-out $(TEST_LIB),$$^) $(TEST_LIB) $(filter -l%,$(TEST_MAIN)) $$(LDLIBS) $$(TEST_LDLIBS)
endef
$(foreach dir,$(TEST_DIRS),$(eval $(call test_rule,$(dir))))

# The broker of fuzz_tls is OpenSSL.
FUZZ_LEFT_OUT := $(if $(WITHOUT_TLS),fuzz/fuzz_tls.c fuzz/tls_end.c)
FUZZ_SRC := $(filter-out $(FUZZ_LEFT_OUT),$(wildcard fuzz/fuzz_*.c))
FUZZ_HELP_SRC := $(filter-out $(FUZZ_SRC) $(FUZZ_LEFT_OUT),$(wildcard fuzz/*.c))
FUZZ_OBJ := $(call obj,$(FUZZ_SRC) $(FUZZ_HELP_SRC) tools/fuzz_replay.c)
REPLAY_BIN := $(patsubst fuzz/%.c,$(B)/replay/%,$(FUZZ_SRC))

$(FUZZ_OBJ): $(B)/obj/%.o: %.c $(B)/flags
	$(COMPILE) $(TEST_CFLAGS) $(CFLAGS)
$(REPLAY_BIN): $(B)/replay/%: $(B)/obj/fuzz/%.o $(call obj,$(FUZZ_HELP_SRC) tools/fuzz_replay.c) $(TEST_LIB)
	@mkdir -p $(@D); echo "  LD    $@"
	@$(LINK) -o $@ $^ $(LDLIBS) $(TEST_LDLIBS)

# libFuzzer needs the library built with its own instrumentation: everything is
# compiled again under build/fuzz, by `make fuzz`. What it costs is how many inputs
# an hour has: compares are not traced (half of all time, for values that seeds,
# dictionaries and scripts already have), and undefined behaviour traps, without
# a text (the replayer of VARIANT=asan has it).
#
# The targets that run whole clients, or TLS, take most of the time, and two thirds of
# that are the sanitizers': `make fuzz-fast` builds them without, for nineteen
# twentieths of their inputs (tools/fuzz_all.sh); what those find new is run again with
# them. There only client/ and net/ steer, and the compiler optimizes more: together an
# eighth.
FUZZ_DIR ?= build/fuzz
FUZZ_FAST = client config core frames sasl servers tls
FUZZ_BIN := $(patsubst fuzz/%.c,$(FUZZ_DIR)/%,$(FUZZ_SRC))
FUZZ_LIB_SRC := $(CORE_SRC) $(HOST_SRC) $(MOCK_SRC) $(FUZZ_HELP_SRC)
FUZZ_SANITIZE ?= address,undefined -fsanitize-trap=undefined -fno-sanitize-coverage=trace-cmp
FUZZ_LIB_OBJ := $(patsubst %.c,$(FUZZ_DIR)/obj/%.o,$(FUZZ_LIB_SRC))
FUZZ_OPT ?= -O1
FUZZ_FLAGS = -std=c11 $(FUZZ_OPT) -g $(INCLUDES) $(CODEC_DEFINES) -D_GNU_SOURCE -DKW_DEBUG -fno-sanitize-recover=all -fno-omit-frame-pointer
$(FUZZ_LIB_OBJ): $(FUZZ_DIR)/obj/%.o: %.c mk/tests.mk
	@mkdir -p $(@D); echo "  FUZZ  $<"
	@clang -MMD -MP -c -o $@ $< $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,$(FUZZ_SANITIZE)
$(FUZZ_DIR)/obj/libkwire.a: $(FUZZ_LIB_OBJ)
	@rm -f $@; $(AR) qcs $@ $^
$(FUZZ_BIN): $(FUZZ_DIR)/%: fuzz/%.c $(FUZZ_DIR)/obj/libkwire.a
	@echo "  FUZZ  $@"
	@clang -MMD -MP -MF $@.d -o $@ $< $(FUZZ_DIR)/obj/libkwire.a $(FUZZ_FLAGS) -fsanitize=fuzzer,$(FUZZ_SANITIZE) $(LDLIBS) $(TEST_LDLIBS)

# Examples see what a user sees: public headers and the shipped archive.
# Benchmarks also take the CRC of the processor from base/.
# So do the programs of the live tests.
# The one that writes to a database is built where SQLite's header is.
HAS_SQLITE := $(call has_header,sqlite3.h)
EXAMPLE_OUT := $(if $(filter 1,$(HAS_SQLITE)),,examples/sqlite.c)
EXAMPLE_BIN := $(patsubst %.c,$(B)/%,$(filter-out $(EXAMPLE_OUT),$(wildcard examples/*.c)))
LIBS_sqlite := -lsqlite3
LIBS_workers := -pthread
LIVE_BIN := $(if $(TRIPLET),,$(patsubst %.c,$(B)/%,$(wildcard tests/live/*.c)))
BENCH_BIN := $(patsubst %.c,$(B)/%,$(wildcard bench/bench_*.c))
# OpenSSL itself, called without the client, where it is built in.
BENCH_WIRE := bench/wire_$(if $(filter openssl,$(WITH_TLS)),openssl,none).c
BENCH_HELP := $(filter-out bench/bench_%.c bench/wire_%.c,$(wildcard bench/*.c)) $(BENCH_WIRE)
# A host without net/ brings its own checksum function; the core's benchmark is
# one, and takes that of base, whose name the archive keeps to itself.
BENCH_BASE := $(call obj,$(wildcard base/crc32c*.c))
$(EXAMPLE_BIN) $(LIVE_BIN): $(B)/%: %.c $(B)/libkwire.a $(B)/flags
	@mkdir -p $(@D); echo "  LD    $@"
	@$(LINK) -std=c11 $(WARN) $(WERROR) -Iinclude -D_GNU_SOURCE -MMD -MP -MF $@.d -o $@ $< $(B)/libkwire.a $(LDLIBS) $(LIBS_$(@F))
# A member by another client's library, which it loads at run time.
PEER_MEMBER := $(if $(TRIPLET),,$(B)/tests/live/peers/rdkafka_member)
$(PEER_MEMBER): $(B)/%: %.c $(B)/flags
	@mkdir -p $(@D); echo "  LD    $@"
	@$(LINK) -std=c11 $(WARN) $(WERROR) -D_GNU_SOURCE -o $@ $< -ldl
$(BENCH_BIN): $(B)/%: %.c $(BENCH_HELP) $(TEST_LIB) $(B)/flags
	@mkdir -p $(@D); echo "  LD    $@"
	@$(LINK) -std=c11 $(WARN) $(WERROR) $(INCLUDES) -D_GNU_SOURCE -MMD -MP -MF $@.d -o $@ $< $(BENCH_HELP) $(EXTRA_$(@F)) $(TEST_LIB) $(LDLIBS)

# The bombs are those of the unit test.
EXTRA_bench_bombs := $(call obj,tests/client/bombs.c tests/client/unpack_bed.c)
$(B)/bench/bench_bombs: $(EXTRA_bench_bombs)

# The generated documents.
$(B)/tools/gen_config_doc: tools/gen_config_doc.c tools/config_doc.h $(TEST_LIB)
	@mkdir -p $(@D)
	@$(LINK) -std=c11 $(WARN) $(INCLUDES) -o $@ $< $(TEST_LIB) $(LDLIBS)
# What tools/schema-diff holds against Kafka's definitions.
$(B)/tools/schema_dump: tools/schema_dump.c $(TEST_LIB)
	@mkdir -p $(@D)
	@$(LINK) -std=c11 $(WARN) $(INCLUDES) -o $@ $< $(TEST_LIB) $(LDLIBS)
$(B)/tools/gen_protocol_doc: tools/gen_protocol_doc.c tools/protocol_doc.h $(TEST_LIB)
	@mkdir -p $(@D)
	@$(LINK) -std=c11 $(WARN) $(INCLUDES) -D_GNU_SOURCE -o $@ $< $(TEST_LIB) $(LDLIBS)
docs: $(B)/tools/gen_config_doc $(B)/tools/gen_protocol_doc
	$(B)/tools/gen_config_doc > docs/CONFIG.md
	$(B)/tools/gen_protocol_doc > docs/PROTOCOL.md
	tools/coverage_ids.sh > docs/COVERAGE.md
.PHONY: docs tests replay fuzz fuzz-fast examples bench print-tests print-replay print-fuzz
tests: $(TEST_BIN) $(LIVE_BIN) $(PEER_MEMBER)
replay: $(REPLAY_BIN)
fuzz: $(FUZZ_BIN)
fuzz-fast:
	@$(MAKE) --no-print-directory FUZZ_DIR=build/fuzz/fast FUZZ_OPT=-O2 \
	    FUZZ_SANITIZE="fuzzer-no-link -fno-sanitize-coverage=trace-cmp -fsanitize-coverage-ignorelist=fuzz/fast-ignore.txt" \
	    $(addprefix build/fuzz/fast/fuzz_,$(FUZZ_FAST))
examples: $(EXAMPLE_BIN)
	$(if $(EXAMPLE_OUT),@echo "  SKIP  $(EXAMPLE_OUT): sqlite3.h is not there (libsqlite3-dev)")
bench: $(BENCH_BIN)
print-tests:
	@echo $(TEST_BIN)
print-replay:
	@echo $(REPLAY_BIN)
print-fuzz:
	@echo $(FUZZ_BIN)

-include $(patsubst %.o,%.d,$(TEST_OBJ) $(FUZZ_OBJ) $(FUZZ_LIB_OBJ)) $(addsuffix .d,$(FUZZ_BIN) $(EXAMPLE_BIN) $(LIVE_BIN) $(BENCH_BIN))
