# kwire -- a plain Makefile for GNU make, gcc or clang; no configure step.
#
#   make              the libraries and build/kw (needs a C compiler only)
#   make demo         the README's first command      make demo BROKER=kafka
#   make check        quick tests, no JVM             make test      everything
#   make accept ISSUE=A   the long acceptance runs    make nightly   soak
#   make machines         unit tests on other machines   make valgrind   memcheck
#   make coverage         branches that unit tests take   make fuzz-coverage   fuzz targets
#   make bench-run    kwire beside librdkafka, see bench/RESULTS.md
#   make deps | size | tidy | format | lint | docs | clean | install
#
# Variables: CC, OPT, CI=1 (warnings are errors), PREFIX, DESTDIR,
# VARIANT=plain|asan|tsan|gcc|clang|mbedtls|mbedtls-asan|coverage|shim|i686|armhf|s390x
# (each in its own build directory), WITH_TLS=openssl|mbedtls|none.

VERSION = 0.1.0
SONAME_MAJOR = 0

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

# ---- variants --------------------------------------------------------------

VARIANT ?= plain
BUILD_plain = build
BUILD_asan = build/asan
BUILD_tsan = build/tsan
BUILD_gcc = build/gcc
BUILD_clang = build/clang
BUILD_mbedtls = build/mbedtls
BUILD_mbedtls-asan = build/mbedtls-asan
BUILD_coverage = build/coverage
include mk/machines.mk
BUILD ?= $(BUILD_$(VARIANT))
B := $(BUILD)
ifeq ($(B),)
$(error VARIANT=$(VARIANT) is unknown: plain, asan, tsan, gcc, clang, mbedtls, mbedtls-asan, coverage, shim, i686, armhf, s390x)
endif

ifeq ($(origin CC),default)
CC = $(if $(filter clang,$(VARIANT)),clang,gcc)
endif
AR = ar
LD = ld
OBJCOPY = objcopy

OPT_coverage = -O0 -g
OPT_asan = -O1 -g
OPT ?= $(or $(OPT_$(VARIANT)),-O2 -g)
SANITIZE_asan = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_mbedtls-asan = $(SANITIZE_asan)
SANITIZE_tsan = -fsanitize=thread -fno-omit-frame-pointer
# Branches are counted where they are written: a function that is inlined into
# several others would have as many copies of each.
SANITIZE_coverage = --coverage -fprofile-update=single
DEFINES_coverage = -Dalways_inline=unused
SANITIZE = $(SANITIZE_$(VARIANT))
DEFINES_asan = -DKW_DEBUG
DEFINES_tsan = -DKW_DEBUG
DEFINES_mbedtls-asan = -DKW_DEBUG
WERROR = $(if $(filter 1,$(CI)),-Werror)

# ---- flags -----------------------------------------------------------------

WARN = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Wundef \
       -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
INCLUDES = -I. -Iinclude
BASE_CFLAGS = -std=c11 $(OPT) $(WARN) $(WERROR) $(INCLUDES) $(DEFINES_$(VARIANT)) $(SANITIZE)
LIB_CFLAGS = $(BASE_CFLAGS) -fPIC -fvisibility=hidden -fno-semantic-interposition \
             -ffunction-sections -fdata-sections

# The core calls no libc but five memory functions, so a fortified or
# stack-protected build, which some systems have as a default, would add names
# that a small target cannot link. The rest, which meets the system, is hardened.
CORE_CFLAGS = $(LIB_CFLAGS) -U_FORTIFY_SOURCE -fno-stack-protector
# (Not what runs under valgrind, which takes the C library's __memmove_chk for memcpy.)
HARDEN := -U_FORTIFY_SOURCE $(if $(SANITIZE)$(filter -O0,$(OPT))$(filter shim,$(VARIANT)),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong
HOST_CFLAGS = $(LIB_CFLAGS) $(HARDEN) -D_GNU_SOURCE
TEST_CFLAGS = $(BASE_CFLAGS) $(TEST_INCLUDES) -D_GNU_SOURCE
LINK = $(CC) $(OPT) $(SANITIZE) -Wl,-z,relro,-z,now $(LDFLAGS)

# ---- optional parts ---------------------------------------------------------
# A codec is built when its library is there; WITH_ZLIB=0 leaves it out, and
# WITH_ZLIB=1 insists. One row a source file that exists: FILE:SWITCH:HEADER:LIBRARY

CODECS := $(foreach row,gzip:ZLIB:zlib.h:-lz lz4:LZ4:lz4.h:-llz4 snappy:SNAPPY:snappy-c.h:-lsnappy \
          zstd:ZSTD:zstd.h:-lzstd,$(if $(wildcard compress/$(firstword $(subst :, ,$(row))).c),$(row)))
# Make versions differ in what a backslash before the sign means inside a call.
HASH := \#
has_header = $(shell echo "$(HASH)include <$(1)>" | $(CC) -E - >/dev/null 2>&1 && echo 1 || echo 0)
define codec
WITH_$(2) ?= $$(call has_header,$(3))
WITH_$(2) := $$(WITH_$(2))
CODEC_DEFINES += -DKW_WITH_$(2)=$$(WITH_$(2))
ifeq ($$(WITH_$(2)),1)
LDLIBS += $(4)
else
CODECS_OUT += compress/$(1).c
endif
endef
codec_word = $(word $(1),$(subst :, ,$(2)))
$(foreach row,$(CODECS),$(eval $(call codec,$(call codec_word,1,$(row)),$(call codec_word,2,$(row)),$(call codec_word,3,$(row)),$(call codec_word,4,$(row)))))

# TLS and the cryptography of SASL come from one library. Each file that meets it
# has the library's name in its own, and only those of the chosen one are built.
TLS_BACKENDS = openssl mbedtls none
HAS_OPENSSL := $(if $(TRIPLET),0,$(call has_header,openssl/core_names.h))
WITH_TLS_mbedtls = mbedtls
WITH_TLS_mbedtls-asan = mbedtls
WITH_TLS ?= $(or $(WITH_TLS_$(VARIANT)),$(if $(filter 1,$(HAS_OPENSSL)),openssl),$(if $(filter 1,$(call has_header,mbedtls/ssl.h)),mbedtls),none)
WITH_TLS := $(WITH_TLS)
ifeq ($(filter $(TLS_BACKENDS),$(WITH_TLS)),)
$(error WITH_TLS=$(WITH_TLS) is unknown: $(TLS_BACKENDS))
endif
LDLIBS_openssl = -lssl -lcrypto
LDLIBS_mbedtls = -lmbedtls -lmbedx509 -lmbedcrypto
# The other end of TLS in tests is OpenSSL's, whatever ours is.
TEST_LDLIBS := $(if $(filter mbedtls,$(WITH_TLS)),$(if $(filter 1,$(HAS_OPENSSL)),$(LDLIBS_openssl)))
LDLIBS += $(LDLIBS_$(WITH_TLS))
TLS_OUT := $(foreach backend,$(filter-out $(WITH_TLS),$(TLS_BACKENDS)),$(wildcard net/*_$(backend)*.c))

# Names are looked up by c-ares where it is; without it by what dns.resolver says.
WITH_CARES ?= $(call has_header,ares.h)
WITH_CARES := $(WITH_CARES)
LDLIBS += $(if $(filter 1,$(WITH_CARES)),-lcares)
CARES_OUT := $(if $(filter 1,$(WITH_CARES)),net/resolver_nocares.c,net/resolver_cares.c)

# ---- sources ---------------------------------------------------------------

CORE_SRC := $(filter-out base/crc32c_hw%.c,$(wildcard base/*.c)) $(wildcard proto/*.c json/*.c client/*.c client/assign/*.c)
HOST_SRC := $(filter-out $(CODECS_OUT) $(TLS_OUT) $(CARES_OUT),$(wildcard base/crc32c_hw*.c net/*.c net/loop/*.c compress/*.c))
MOCK_SRC := $(wildcard mock/*.c)
CLI_SRC := $(if $(TRIPLET),,$(wildcard cli/*.c))
# What the mock stands on besides its own files.
MOCK_UNDER := $(filter base/% proto/%,$(CORE_SRC)) $(wildcard base/crc32c_hw*.c net/loop/*.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
CORE_OBJ := $(call obj,$(CORE_SRC))
HOST_OBJ := $(call obj,$(HOST_SRC))
MOCK_OBJ := $(call obj,$(MOCK_SRC))
MOCK_UNDER_OBJ := $(call obj,$(MOCK_UNDER))
CLI_OBJ := $(call obj,$(CLI_SRC))

LIBS := $(B)/libkwire-core.a $(B)/libkwire.a $(B)/libkwire.so $(B)/libkwire-mock.a

.PHONY: all lib clean install size format tidy deps
all: lib $(if $(CLI_SRC),$(B)/kw)
lib: $(LIBS)

# Objects depend on the flags they were built with: CI=1 after a build without
# it compiles again.
FLAGS_TEXT := $(CC) | $(CORE_CFLAGS) | $(HOST_CFLAGS) | $(TEST_CFLAGS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(FLAGS_TEXT)' | cmp -s - $@ || printf '%s\n' '$(FLAGS_TEXT)' > $@
# Archives depend on the list of sources too: a removed file must leave them.
$(B)/sources: FORCE
	@mkdir -p $(@D)
	@echo $(CORE_SRC) $(HOST_SRC) $(MOCK_SRC) $(CLI_SRC) | cmp -s - $@ || \
	    echo $(CORE_SRC) $(HOST_SRC) $(MOCK_SRC) $(CLI_SRC) > $@
.PHONY: FORCE
FORCE:

COMPILE = @mkdir -p $(@D); echo "  CC    $<"; $(CC) -MMD -MP -c -o $@ $<

$(CORE_OBJ): $(B)/obj/%.o: %.c $(B)/flags
	$(COMPILE) $(CORE_CFLAGS) $(CFLAGS)
$(filter $(B)/obj/compress/%,$(HOST_OBJ)): $(B)/sources
$(HOST_OBJ) $(MOCK_OBJ) $(CLI_OBJ): $(B)/obj/%.o: %.c $(B)/flags
	$(COMPILE) $(HOST_CFLAGS) $(if $(filter compress/%,$<),$(CODEC_DEFINES)) $(CFLAGS)

# ---- archives --------------------------------------------------------------
# A shipped archive holds one relocatable object whose internal names (kwi_)
# are local, so they can neither clash with a host's names nor be called.

define localize
@mkdir -p $(@D); echo "  AR    $@"
@rm -f $@; $(LD) -r -o $(@:.a=.o) $(filter %.o,$^)
@$(OBJCOPY) $(1) $(@:.a=.o) && $(AR) qcs $@ $(@:.a=.o)
endef

$(B)/libkwire-core.a: $(CORE_OBJ) $(B)/sources
	$(call localize,--localize-hidden)
$(B)/libkwire.a: $(CORE_OBJ) $(HOST_OBJ) $(B)/sources
	$(call localize,--localize-hidden)

# The mock carries base, proto and the loop of its own. Their few public names
# are weak in it, so that a program may link libkwire and libkwire-mock together;
# what stays visible of the rest is the interface of mock/mock.h and mock/front.h.
$(B)/weak-names: $(MOCK_UNDER_OBJ) $(B)/sources
	@mkdir -p $(@D); nm -g --defined-only $(filter %.o,$^) | awk 'NF == 3 && $$3 ~ /^kw_/ { print $$3 }' | sort -u > $@
$(B)/local-names: $(MOCK_OBJ) $(MOCK_UNDER_OBJ) $(B)/sources
	@nm -g --defined-only $(filter %.o,$^) | awk 'NF == 3 && $$3 !~ /^(kw_|kwi_mock_)/ { print $$3 }' | sort -u > $@
$(B)/libkwire-mock.a: $(MOCK_OBJ) $(MOCK_UNDER_OBJ) $(B)/weak-names $(B)/local-names
	$(call localize,--weaken-symbols=$(B)/weak-names --localize-symbols=$(B)/local-names)

# The shared library has the client: who brings a driver of his own links the core's
# archive (docs/decisions/0039).
$(B)/libkwire.map: $(CORE_OBJ) $(HOST_OBJ) $(B)/sources
	@nm -g --defined-only $(filter %.o,$^) | awk 'BEGIN { print "{ global:" } \
	    NF == 3 && $$3 ~ /^kw_/ && $$3 !~ /^kw_core_/ { print $$3 ";" } END { print "local: *; };" }' > $@
$(B)/libkwire.so: $(CORE_OBJ) $(HOST_OBJ) $(B)/libkwire.map $(B)/sources
	@echo "  LD    $@"
	@$(LINK) -shared -Wl,-soname,libkwire.so.$(SONAME_MAJOR) -Wl,--gc-sections \
	    -Wl,--version-script=$(B)/libkwire.map -o $@ $(filter %.o,$^) $(LDLIBS)
	@ln -sf libkwire.so $(B)/libkwire.so.$(SONAME_MAJOR)

# Tests reach internal names, so they link the plain objects.
TEST_LIB := $(B)/obj/libkwire-plain.a
$(TEST_LIB): $(CORE_OBJ) $(HOST_OBJ) $(MOCK_OBJ) $(filter-out $(B)/obj/cli/main.o,$(CLI_OBJ)) $(B)/sources
	@rm -f $@; $(AR) qcs $@ $(filter %.o,$^)

$(B)/kw: $(CLI_OBJ) $(B)/libkwire.a $(B)/libkwire-mock.a
	@echo "  LD    $@"
	@$(LINK) -Wl,--gc-sections -o $@ $(CLI_OBJ) $(B)/libkwire-mock.a $(B)/libkwire.a $(LDLIBS)

include mk/tests.mk
include mk/bench.mk
include mk/tiers.mk

# ---- the rest --------------------------------------------------------------

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

install: all
	install -d $(DESTDIR)$(PREFIX)/include/kwire $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/kwire/*.h $(DESTDIR)$(PREFIX)/include/kwire/
	install -m 644 $(B)/libkwire.a $(B)/libkwire-core.a $(B)/libkwire-mock.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(B)/libkwire.so $(DESTDIR)$(LIBDIR)/libkwire.so.$(VERSION)
	ln -sf libkwire.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libkwire.so.$(SONAME_MAJOR)
	ln -sf libkwire.so.$(SONAME_MAJOR) $(DESTDIR)$(LIBDIR)/libkwire.so
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' \
	    'Name: kwire' 'Description: Kafka client library' 'Version: $(VERSION)' \
	    'Libs: -L$${libdir} -lkwire' 'Libs.private: $(LDLIBS)' 'Cflags: -I$${includedir}' \
	    > $(DESTDIR)$(LIBDIR)/pkgconfig/kwire.pc
	$(if $(CLI_SRC),install -m 755 $(B)/kw $(DESTDIR)$(PREFIX)/bin/)

size: all bench
	@tools/size.sh $(B)

C_FILES = $(wildcard $(addsuffix /*.[ch],include/kwire base proto json compress client client/assign net net/loop \
          mock cli fuzz bench examples tests/support/shim tests/support/shim/criterion tests/* tools))
format:
	clang-format -i $(sort $(C_FILES))

tidy: all
	@tools/tidy.sh $(B)

deps:
	@tools/deps.sh build check lint live

clean:
	@[ ! -d build ] || tools/kafka.sh clean-all
	rm -rf build

-include $(patsubst %.o,%.d,$(CORE_OBJ) $(HOST_OBJ) $(MOCK_OBJ) $(CLI_OBJ))
