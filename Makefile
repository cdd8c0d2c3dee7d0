# journalfs - build, test, install. `make help` lists the targets.
# SPDX-License-Identifier: Apache-2.0

CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
PKGS := fuse3 libsodium lmdb jansson libseccomp
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
ifeq ($(shell pkg-config --exists libcrypto 2>/dev/null && echo yes),yes)
CRYPTO_CFLAGS := -DHAVE_LIBCRYPTO=1
CRYPTO_LIBS := $(shell pkg-config --libs libcrypto)
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wundef -Wformat=2
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
OPT ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DFUSE_USE_VERSION=314 -I. $(CRYPTO_CFLAGS) $(PKG_CFLAGS)
CFLAGS += -std=gnu11 $(OPT) $(WARN) $(HARDEN) $(EXTRA_CFLAGS)
LDFLAGS += -pie -Wl,-z,relro,-z,now $(EXTRA_LDFLAGS)
LDLIBS += $(PKG_LIBS) $(CRYPTO_LIBS) -lpthread

FOLDERS := keys policy fs tools
OBJS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
LIBS := $(foreach d,tools fs policy keys,$(BUILD)/lib$(d).a)

all: $(BUILD)/journalfs

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define archive
$(BUILD)/lib$(1).a: $(call OBJS,$(1))
	@mkdir -p $$(@D)
	rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach d,keys policy fs,$(eval $(call archive,$(d))))
$(BUILD)/libtools.a: $(filter-out $(BUILD)/tools/main.o,$(call OBJS,tools))
	rm -f $@ && ar rcs $@ $^

$(BUILD)/journalfs: $(BUILD)/tools/main.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Unit tests: test_keys_* and test_policy_* link only their own folder, which proves it pure.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
CHECK_LIBS = $(shell pkg-config --libs check)
$(BUILD)/tests/test_keys_%: $(BUILD)/tests/unit/test_keys_%.o $(BUILD)/libkeys.a
	$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) -lsodium $(CRYPTO_LIBS) -lpthread
$(BUILD)/tests/test_policy_%: $(BUILD)/tests/unit/test_policy_%.o $(BUILD)/libpolicy.a
	$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) -lpthread

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all
.SECONDARY:
