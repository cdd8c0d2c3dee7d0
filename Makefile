# journalfs - build, test, install.
# SPDX-License-Identifier: Apache-2.0
#
#   make            build/journalfs
#   make demo       the main job, for people to watch (installs what it needs)
#   make check      every test (installs what it needs); make check-unit, check-fault, check-mount: parts
#   make check-apps large programs (LibreOffice) on a real mount, outside CI
#   make lint       two compilers, clang-tidy, cppcheck, the house rules
#   make sanitize   unit and mount tests under ASan and UBSan
#   make fuzz       every decoder and parser under libFuzzer, FUZZ_SECONDS each
#   make bench      the benchmark of this project on this machine
#   make install    DESTDIR, PREFIX

CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
FUZZ_SECONDS ?= 10

PKGS := fuse3 libsodium lmdb jansson libseccomp libacl liboath libqrencode libzstd
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
HAVE_CRYPTO := $(shell pkg-config --exists libcrypto 2>/dev/null && echo yes)
CRYPTO_CFLAGS = $(if $(HAVE_CRYPTO),-DHAVE_LIBCRYPTO=1)
CRYPTO_LIBS = $(if $(HAVE_CRYPTO),-lcrypto)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wundef -Wformat=2
HARDEN := -fstack-protector-strong -fPIE
FORTIFY ?= -D_FORTIFY_SOURCE=2
OPT ?= -O2 -g
# libgcc_s is linked, not loaded by the first pthread_cancel, when seccomp forbids opening files.
DEFS := -D_GNU_SOURCE -DFUSE_USE_VERSION=314 -I.
JF_CPPFLAGS = $(DEFS) $(FORTIFY) $(CRYPTO_CFLAGS) $(PKG_CFLAGS) $(CPPFLAGS)
JF_CFLAGS = -std=gnu11 $(OPT) $(WARN) $(HARDEN) $(EXTRA_CFLAGS) $(CFLAGS)
JF_LDFLAGS = -pie -Wl,-z,relro,-z,now $(EXTRA_LDFLAGS) $(LDFLAGS)
JF_LDLIBS = $(PKG_LIBS) $(CRYPTO_LIBS) -Wl,--no-as-needed -lgcc_s -Wl,--as-needed -lpthread

OBJS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
LIBS := $(foreach d,tools fs policy keys,$(BUILD)/lib$(d).a)

all: $(BUILD)/journalfs

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(JF_CPPFLAGS) $(JF_CFLAGS) -MMD -MP -c -o $@ $<

define archive
$(BUILD)/lib$(1).a: $(filter-out $(BUILD)/tools/main.o,$(call OBJS,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach d,keys policy fs tools,$(eval $(call archive,$(d))))

$(BUILD)/journalfs: $(BUILD)/tools/main.o $(LIBS)
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(JF_LDLIBS)

# ---- unit tests: test_keys_* and test_policy_* link only their own folder, which proves it pure
CHECK_LIBS = $(shell pkg-config --libs check)
$(BUILD)/tests/unit/%.o $(BUILD)/tests/fault/%.o: JF_CFLAGS += -include tests/marks.h
$(BUILD)/tests/test_keys_%: $(BUILD)/tests/unit/test_keys_%.o $(BUILD)/libkeys.a
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(CHECK_LIBS) -lsodium -loath $(CRYPTO_LIBS) -lpthread
$(BUILD)/tests/test_policy_%: $(BUILD)/tests/unit/test_policy_%.o $(BUILD)/libpolicy.a
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(CHECK_LIBS) -lpthread
$(BUILD)/tests/test_fs_%: $(BUILD)/tests/unit/test_fs_%.o $(LIBS)
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(JF_LDLIBS)
$(BUILD)/tests/test_tools_%: $(BUILD)/tests/unit/test_tools_%.o $(LIBS)
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(JF_LDLIBS)

# The made-up year of a clinic: its test, and what the benchmark measures.
YEAR := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/year/*.c))
$(BUILD)/tests/test_year: $(BUILD)/tests/unit/test_year.o $(YEAR) $(LIBS)
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(JF_LDLIBS)

$(BUILD)/tests/apps/year_log: $(BUILD)/tests/apps/year_log.o $(YEAR) $(LIBS)
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(JF_LDLIBS)

# ---- fault tests: static LMDB, so that its own writes and syncs go through the injector too; allocations fail as well
FAULT_WRAP := pwrite pwritev pwritev2 write writev fdatasync fsync fallocate msync ftruncate
FAULT_LDFLAGS := $(foreach f,$(FAULT_WRAP),-Wl,--wrap=$(f) -Wl,--wrap=$(f)64) $(foreach f,malloc calloc realloc,-Wl,--wrap=$(f))
FAULT_LIBS = $(filter-out -llmdb,$(JF_LDLIBS)) -l:liblmdb.a
FAULT_COMMON = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(wildcard tests/fault/test_*.c),$(wildcard tests/fault/*.c)))
$(BUILD)/tests/fault/run_%: $(BUILD)/tests/fault/test_%.o $(FAULT_COMMON) $(LIBS)
	$(CC) $(JF_CFLAGS) $(JF_LDFLAGS) $(FAULT_LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(FAULT_LIBS)

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
FAULT := $(patsubst tests/fault/test_%.c,$(BUILD)/tests/fault/run_%,$(sort $(wildcard tests/fault/test_*.c)))
PROBES := $(patsubst tests/mount/%.c,$(BUILD)/tests/mount/%,$(wildcard tests/mount/*.c)) \
	$(BUILD)/tests/mount/differential

# Small programs that the mount tests run as a practitioner's programs.
$(BUILD)/tests/mount/%: tests/mount/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 -O1 -g $(WARN) -o $@ $< -lpthread

# Agents load libsystemd themselves; the logind of the tests is linked with it.
$(BUILD)/tests/mount/logind: tests/mount/logind.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 -O1 -g $(WARN) -o $@ $< -lsystemd

$(BUILD)/tests/mount/differential: $(wildcard tests/mount/differential/*.[ch])
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 -O1 -g $(WARN) -o $@ $(filter %.c,$^)

tests-built: $(BUILD)/journalfs $(UNIT) $(FAULT) $(PROBES)

# With every processor, unless whoever calls says how many.
ALL_CPUS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

check: deps
	@$(MAKE) --no-print-directory $(ALL_CPUS) tests-built
	@BUILD=$(BUILD) tests/run.sh unit fault mount
check-unit check-fault check-mount: check-%: tests-built
	@BUILD=$(BUILD) tests/run.sh $*
check-apps: tests-built $(BUILD)/tests/apps/year_log
	@BUILD=$(BUILD) tests/apps/run.sh

demo: deps
	@$(MAKE) --no-print-directory $(BUILD)/journalfs
	@BUILD=$(BUILD) tests/demo.sh

deps:
	@tests/deps.sh

lint: deps
	@tests/lint.sh

sanitize: deps
	@BUILD=$(BUILD)-sanitize $(MAKE) --no-print-directory $(ALL_CPUS) tests-built BUILD=$(BUILD)-sanitize OPT="-O1 -g" \
		FORTIFY= EXTRA_CFLAGS="-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
	@BUILD=$(BUILD)-sanitize SANITIZE=1 tests/run.sh unit mount

fuzz: deps
	@BUILD=$(BUILD)-fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh

$(BUILD)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 -O1 -g $(WARN) -o $@ $<

$(BUILD)/tests/bench/policy: tests/bench/policy.c $(BUILD)/libpolicy.a
	@mkdir -p $(@D)
	$(CC) $(JF_CPPFLAGS) $(JF_CFLAGS) -o $@ $^
$(BUILD)/tests/bench/fill: tests/bench/fill.c $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(JF_CPPFLAGS) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(JF_LDLIBS)

$(BUILD)/tests/bench/log: tests/bench/log.c $(YEAR) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(JF_CPPFLAGS) $(JF_CFLAGS) $(JF_LDFLAGS) -o $@ $^ $(JF_LDLIBS)

bench: $(BUILD)/journalfs $(addprefix $(BUILD)/tests/bench/,ops policy fill saves log)
	@BUILD=$(BUILD) tests/bench/run.sh
	@BUILD=$(BUILD) tests/bench/scale.sh
	@BUILD=$(BUILD) tests/bench/policy.sh
	@BUILD=$(BUILD) tests/bench/saves.sh
	@BUILD=$(BUILD) tests/bench/log.sh

install: $(BUILD)/journalfs
	install -Dm755 $(BUILD)/journalfs $(DESTDIR)$(PREFIX)/bin/journalfs
	install -Dm644 tools/man/journalfs.1 $(DESTDIR)$(PREFIX)/share/man/man1/journalfs.1
	install -Dm644 tools/man/journalfs-policy.5 $(DESTDIR)$(PREFIX)/share/man/man5/journalfs-policy.5
	install -d $(DESTDIR)/usr/lib/systemd/system
	for unit in journalfs@.service journalfs-notify@.service; do \
		sed 's|@BINDIR@|$(PREFIX)/bin|' "tools/packaging/$$unit" \
			>"$(DESTDIR)/usr/lib/systemd/system/$$unit" && \
		chmod 644 "$(DESTDIR)/usr/lib/systemd/system/$$unit" || exit 1; done
	install -Dm755 tools/packaging/notify-mail $(DESTDIR)$(PREFIX)/lib/journalfs/notify-mail
	install -Dm644 tools/packaging/example.notify $(DESTDIR)$(SYSCONFDIR)/journalfs/example.notify.sample
	install -Dm644 tools/packaging/journalfs.sysusers $(DESTDIR)/usr/lib/sysusers.d/journalfs.conf
	install -Dm644 tools/packaging/journalfs.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/journalfs.conf
	install -Dm644 tools/packaging/example.conf $(DESTDIR)$(SYSCONFDIR)/journalfs/example.conf.sample
	install -Dm755 tools/desktop/journalfs-emergency $(DESTDIR)$(PREFIX)/bin/journalfs-emergency
	install -Dm644 tools/man/journalfs-emergency.1 $(DESTDIR)$(PREFIX)/share/man/man1/journalfs-emergency.1
	install -Dm644 tools/desktop/journalfs-emergency.desktop \
		$(DESTDIR)$(PREFIX)/share/applications/journalfs-emergency.desktop
	install -Dm644 tools/desktop/journalfs-emergency.svg \
		$(DESTDIR)$(PREFIX)/share/icons/hicolor/scalable/apps/journalfs-emergency.svg
	install -Dm644 tools/desktop/journalfs-emergency.nemo_action \
		$(DESTDIR)$(PREFIX)/share/nemo/actions/journalfs-emergency.nemo_action
	install -Dm755 tools/desktop/journalfs-emergency.servicemenu.desktop \
		$(DESTDIR)$(PREFIX)/share/kio/servicemenus/journalfs-emergency.desktop
	install -Dm755 tools/desktop/nautilus-script "$(DESTDIR)$(PREFIX)/share/journalfs/scripts/Emergency access"
	install -Dm755 tools/desktop/journalfs-finalize $(DESTDIR)$(PREFIX)/bin/journalfs-finalize
	install -Dm644 tools/man/journalfs-finalize.1 $(DESTDIR)$(PREFIX)/share/man/man1/journalfs-finalize.1
	for action in finalize amend; do \
		install -Dm644 "tools/desktop/journalfs-$$action.nemo_action" \
			"$(DESTDIR)$(PREFIX)/share/nemo/actions/journalfs-$$action.nemo_action" || exit 1; done
	install -Dm755 tools/desktop/journalfs-finalize.servicemenu.desktop \
		$(DESTDIR)$(PREFIX)/share/kio/servicemenus/journalfs-finalize.desktop
	install -Dm755 tools/desktop/nautilus-finalize "$(DESTDIR)$(PREFIX)/share/journalfs/scripts/Finalize"
	install -Dm755 tools/desktop/nautilus-finalize "$(DESTDIR)$(PREFIX)/share/journalfs/scripts/Amend"
	install -Dm644 tools/packaging/journalfs.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/journalfs

clean:
	rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-fuzz $(BUILD)-lint

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/tests/*/*.d)
.PHONY: all check check-unit check-fault check-mount check-apps demo deps lint sanitize fuzz bench install clean \
	tests-built
.SECONDARY:
