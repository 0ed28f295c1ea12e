# Variants for other machines: VARIANT=i686 (32 bits), armhf (32 bits, another
# processor family) and s390x (big-endian), with a cross compiler, run by
# tools/machines.sh under an emulator; and VARIANT=shim, this machine with the
# stand-in for Criterion that those use, which valgrind runs.
#
# Libraries for the other machines are not assumed: no codecs and no command.

TRIPLET_i686 = i686-linux-gnu
TRIPLET_armhf = arm-linux-gnueabihf
TRIPLET_s390x = s390x-linux-gnu
TRIPLET := $(TRIPLET_$(VARIANT))

BUILD_i686 = build/i686
BUILD_armhf = build/armhf
BUILD_s390x = build/s390x
BUILD_shim = build/shim
DEFINES_i686 = -DKW_DEBUG
DEFINES_armhf = -DKW_DEBUG
DEFINES_s390x = -DKW_DEBUG
DEFINES_shim = -DKW_DEBUG

ifneq ($(TRIPLET),)
ifeq ($(origin CC),default)
CC = $(TRIPLET)-gcc
endif
AR = $(TRIPLET)-ar
LD = $(TRIPLET)-ld
OBJCOPY = $(TRIPLET)-objcopy
WITH_ZLIB = 0
WITH_LZ4 = 0
WITH_SNAPPY = 0
WITH_ZSTD = 0
WITH_TLS = none
WITH_CARES = 0
endif

# What a test program is linked with, and where it finds <criterion/...>.
SHIM_DIR = tests/support/shim
# Criterion's own processes do not stand the thread sanitizer.
ifneq ($(TRIPLET)$(filter shim tsan,$(VARIANT)),)
OPT ?= -O1 -g
TEST_MAIN = $(B)/obj/$(SHIM_DIR)/shim.o
TEST_INCLUDES = -I$(SHIM_DIR)
else
TEST_MAIN = -lcriterion
endif
