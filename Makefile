# dedup-lda: see README.md. `make help` lists the targets.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/dedup-lda
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/dedup-lda
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
DESTDIR ?=
BUILD ?= build
VERSION = $(shell sed -n 's/.*DEDUP_LDA_VERSION "\(.*\)"/\1/p' include/version.h)
TARBALL = $(BUILD)/dedup-lda-$(VERSION).tar.gz

CC ?= cc
AR ?= ar
PKG_CONFIG ?= pkg-config
INSTALL ?= install

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla
HARDENING = -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
# Files above 2 GiB and times after 2038 on 32 bit as well; where a compiler does not do that by itself, libraries do not either.
LARGE := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 $(if $(findstring _TIME_BITS,$(shell $(CC) -dM -E -x c /dev/null)),,-DLIBRARIES_HAVE_OWN_TIME)
# What the system may lack: WITHOUT="landlock ofd-locks" builds as if it did.
WITHOUT ?=
LACKING = $(if $(filter landlock,$(WITHOUT)),-DWITHOUT_LANDLOCK) $(if $(filter ofd-locks,$(WITHOUT)),-include tests/portability/no_ofd_locks.h)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(LARGE) -Iinclude $(WARNINGS) $(HARDENING) $(LACKING) $(SANITIZE) $(EXTRA_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINK_FLAGS = -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)
ALL_LDFLAGS = -pie $(LINK_FLAGS)

# A missing shared library makes the loader exit 127, and that bounces mail; a program without a loader also starts faster. LINK=static
# puts all libraries into the agent, and all but libc into the other programs. LINK=shared does not. User look-ups need plug-ins of the
# system's libc: dedup-lda-nss is always shared.
comma = ,
archive = $(filter /%,$(shell $(CC) -print-file-name=$(1).a 2>/dev/null))
LINK ?= $(if $(and $(call archive,libdb),$(call archive,libcrypto),$(call archive,libssl),$(call archive,libconfuse),$(call archive,libbsd),$(call archive,libc)),static,shared)

# A ledger in Redis needs hiredis. The plain agent never has it: for such a ledger it runs dedup-lda-redis, the same agent with it.
WITH_REDIS ?= $(if $(shell $(PKG_CONFIG) --exists hiredis && echo yes),yes,no)

# Which code lies where costs a delivery as much as what it does. Other linkers order nothing; LAYOUT= lets this one do as it likes.
LAYOUT ?= $(if $(findstring GNU ld,$(shell $(CC) -Wl,--version 2>/dev/null)),-Wl$(comma)-T$(comma)lda/layout.ld)

AGENT_PKGS = libconfuse libbsd libcrypto
ifeq ($(LINK),static)
AGENT_LINK = -static-pie $(LAYOUT)
AGENT_LIBS = -ldb $(shell $(PKG_CONFIG) --static --libs $(AGENT_PKGS))
LIBS = -Wl,-Bstatic $(AGENT_LIBS) -Wl,-Bdynamic $(REDIS_LIBS)
GAP_LIBS = -Wl,-Bstatic -lssl $(AGENT_LIBS) -Wl,-Bdynamic
else
AGENT_LINK = -pie
AGENT_LIBS = -ldb $(shell $(PKG_CONFIG) --libs $(AGENT_PKGS))
LIBS = $(AGENT_LIBS) $(REDIS_LIBS)
GAP_LIBS = -lssl $(AGENT_LIBS)
endif
ifeq ($(WITH_REDIS),yes)
REDIS_STORES = $(BUILD)/obj/dedupdb/stores_redis.o
REDIS_LIBS = $(if $(filter static,$(LINK)),-Wl$(comma)-Bstatic -lhiredis -Wl$(comma)-Bdynamic,$(shell $(PKG_CONFIG) --libs hiredis))
REDIS_AGENT_LIBS = $(shell $(PKG_CONFIG) --libs hiredis)
REDIS_PROGRAMS = $(BUILD)/dedup-lda-redis
endif
TOOL_LIBS = $(shell $(PKG_CONFIG) --libs jansson)
TEST_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
REDIS_SOURCES = $(filter-out dedupdb/redis_url.c,$(wildcard dedupdb/redis_*.c)) dedupdb/store_redis.c
LIB_OBJECTS = $(call object,$(filter-out dedupdb/stores_redis.c $(if $(REDIS_STORES),,$(REDIS_SOURCES)),$(wildcard dedupdb/*.c)))
AGENT_OBJECTS = $(call object,lda/main.c lda/no_nss.c)
LMTPD_OBJECTS = $(call object,lda/lmtpd_main.c lda/no_nss.c)
LDA_OBJECTS = $(call object,$(filter-out lda/main.c lda/lmtpd_main.c lda/no_nss.c lda/nss_main.c,$(wildcard lda/*.c)))
GAP_SOURCES = $(wildcard tools/smtp_gap*.c)
TOOL_OBJECTS = $(call object,$(filter-out $(GAP_SOURCES),$(wildcard tools/*.c)))
GAP_OBJECTS = $(call object,$(GAP_SOURCES) tools/base64.c tools/format.c tools/output.c tools/stop.c)
LIBRARIES = $(BUILD)/liblda.a $(BUILD)/libdedupdb.a
PROGRAMS = $(BUILD)/dedup-lda $(REDIS_PROGRAMS) $(BUILD)/dedup-lda-nss $(BUILD)/dedup-lmtpd $(BUILD)/dedupdb $(BUILD)/smtp-gap
UNITS = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
HELPERS = $(patsubst tests/e2e/%.c,$(BUILD)/tests/%,$(wildcard tests/e2e/*.c)) \
	$(patsubst tests/crash/%.c,$(BUILD)/tests/%,$(wildcard tests/crash/*.c))
FUZZERS = $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
# What runs a fuzzer: this gives it the files of its corpus. `make fuzz` has libFuzzer in its place.
FUZZ_MAIN = $(call object,tests/fuzz/replay.c)
UNIT_OBJECTS = $(call object,$(wildcard tests/unit/lib/*.c))
CRASH_OBJECTS = $(call object,$(wildcard tests/crash/lib/*.c))
BENCH_OBJECTS = $(call object,$(wildcard tests/bench/lib/*.c))
BENCHES = $(addprefix $(BUILD)/bench/,bench fill floor hashcopy slow_sync.so)
SCRIPTS = $(wildcard tests/e2e/*.t tests/crash/*.t tests/model/*.t)
ROOT_SCRIPTS = $(wildcard tests/mta/*.t tests/root/*.t)	# in namespaces of their own; the first run fetches packages
PROVE_FLAGS ?= -j$(shell nproc)
MANUALS = $(wildcard man/*.[0-9])

all: $(PROGRAMS)

$(BUILD)/dedup-lda: $(AGENT_OBJECTS) $(LIBRARIES)
	$(CC) $(AGENT_LINK) $(LINK_FLAGS) -o $@ $^ $(AGENT_LIBS)

# Whichever file defines the list of stores comes before the library, which has the one without Redis.
$(BUILD)/dedup-lda-redis: $(AGENT_OBJECTS) $(REDIS_STORES) $(LIBRARIES)
	$(CC) $(AGENT_LINK) $(LINK_FLAGS) -o $@ $^ $(AGENT_LIBS) $(REDIS_AGENT_LIBS)

$(BUILD)/dedup-lmtpd: $(LMTPD_OBJECTS) $(REDIS_STORES) $(LIBRARIES)
	$(CC) $(AGENT_LINK) $(LINK_FLAGS) -o $@ $^ $(AGENT_LIBS) $(REDIS_AGENT_LIBS)

$(BUILD)/dedup-lda-nss: $(BUILD)/obj/lda/nss_main.o $(LIBRARIES)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -ldl

# Changes only when LIBEXECDIR does.
$(BUILD)/libexecdir: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBEXECDIR)' | cmp -s - $@ || echo '$(LIBEXECDIR)' >$@

$(BUILD)/obj/lda/libexec.o: $(BUILD)/libexecdir
$(BUILD)/obj/lda/libexec.o: EXTRA_CFLAGS += -DLIBEXECDIR='"$(LIBEXECDIR)"'

$(BUILD)/dedupdb: $(TOOL_OBJECTS) $(REDIS_STORES) $(LIBRARIES)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(TOOL_LIBS)

# Of the libraries it needs what reads options and times.
$(BUILD)/smtp-gap: $(GAP_OBJECTS) $(LIBRARIES)
	$(CC) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $^ $(GAP_LIBS) $(TOOL_LIBS) -lresolv

# Arrows run one way: tools -> lda -> dedupdb.
$(BUILD)/libdedupdb.a: $(LIB_OBJECTS)
$(BUILD)/liblda.a: $(LDA_OBJECTS)
%.a:
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/test_%: tests/unit/test_%.c $(UNIT_OBJECTS) $(REDIS_STORES) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Idedupdb -Ilda -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) $(LIBRARIES) $(LIBS) $(TEST_LIBS)

# A part of dedupdb that has unit tests of its own.
$(BUILD)/tests/test_mailbox_reader: $(patsubst %,$(BUILD)/obj/tools/%.o,mailbox_reader reader_maildir reader_mbox maildir_info maildir_names special_folder)

$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_MAIN) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Idedupdb -Ilda -Itools -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) $(LIBRARIES) $(LIBS)

$(BUILD)/tests/fuzz_dump: $(patsubst %,$(BUILD)/obj/tools/%.o,dump base64 view output format)
$(BUILD)/tests/fuzz_dump: LIBS += $(TOOL_LIBS)
$(BUILD)/tests/fuzz_smtp_gap: $(patsubst %,$(BUILD)/obj/tools/%.o,smtp_gap_fault smtp_gap_find smtp_gap_line smtp_gap_talk base64 output format stop)
$(BUILD)/tests/fuzz_smtp_gap: LIBS = $(GAP_LIBS) $(TOOL_LIBS) -lresolv

$(BUILD)/tests/%: tests/e2e/%.c $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIBRARIES) $(LIBS)

$(BUILD)/tests/%: tests/crash/%.c $(CRASH_OBJECTS) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(CRASH_OBJECTS) $(LIBRARIES) $(LIBS)

# Only patterns name these, so make would remove them, and the next one would build them and all tests again.
.SECONDARY: $(UNIT_OBJECTS) $(CRASH_OBJECTS) $(FUZZ_MAIN)

tests: $(PROGRAMS) $(UNITS) $(FUZZERS) $(HELPERS)

fuzzers: $(FUZZERS)

# Every source that is a part of a program, compiled.
objects: $(LIBRARIES) $(AGENT_OBJECTS) $(LMTPD_OBJECTS) $(TOOL_OBJECTS) $(GAP_OBJECTS) $(BUILD)/obj/lda/nss_main.o

$(addprefix $(BUILD)/bench/,bench fill hashcopy): $(BUILD)/bench/%: tests/bench/%.c $(BENCH_OBJECTS) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Idedupdb -MMD -MP $(ALL_LDFLAGS) -pthread -o $@ $< $(BENCH_OBJECTS) $(LIBRARIES) $(LIBS)

# What the others are compared with links nothing but libc.
$(BUILD)/bench/floor: tests/bench/floor.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $<

$(BUILD)/bench/slow_sync.so: tests/bench/slow_sync.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -shared -o $@ $<

benches: $(BENCHES)

## demo: install what is missing, build, deliver a real message twice, show the one copy and why
demo:
	tools/packages build
	$(MAKE) all
	BUILD=$(BUILD) tests/run examples/demo

## gap: break an SMTP connection after the final dot, see the copy discarded, explained and reported; examples/gap does it to an MTA of yours
gap:
	tools/packages build gap
	$(MAKE) all
	BUILD=$(BUILD) tests/run examples/gap

## check: install what is missing, build, run every test; those with real MTAs and other users need root, and skip without
check:
	tools/packages build check
	$(MAKE) tests
	BUILD=$(BUILD) tests/run prove --merge $(PROVE_FLAGS) $(UNITS) $(FUZZERS) $(SCRIPTS)
	BUILD=$(BUILD) prove --merge $(PROVE_FLAGS) $(ROOT_SCRIPTS)

## browser: the page of dedupdb gaps in Chromium (a large package, so check does without); DEDUP_SCREENSHOTS=/FOLDER keeps pictures
browser:
	tools/packages build check browser
	$(MAKE) tests
	BUILD=$(BUILD) tests/run env DEDUP_REQUIRE_BROWSER=yes $(if $(DEDUP_SCREENSHOTS),DEDUP_SCREENSHOTS=$(DEDUP_SCREENSHOTS)) \
		prove --merge $(PROVE_FLAGS) tests/browser

## units: build and run the unit tests alone
units: $(PROGRAMS) $(UNITS)
	BUILD=$(BUILD) tests/run prove --merge $(PROVE_FLAGS) $(UNITS)

# Sanitized programs have a folder of their own. They are not fortified: what libc checks by itself the sanitizers do not see.
SANITIZED = LINK=shared HARDENING=-fPIE CFLAGS="-O1 -g -fno-omit-frame-pointer"
SANITIZERS = address,undefined -fno-sanitize-recover=all
SANITIZER_OPTIONS = $(BUILD)/sanitize/obj/tests/sanitize.o
sanitized = $(patsubst $(BUILD)/%,$(BUILD)/sanitize/%,$(1))

## portability: the units as other compilers, libraries and machines have them; WAYS="clang 32bit" picks some (tests/portability/run)
portability:
	tools/packages build check portability
	-tools/packages 32bit	# what can't be had is skipped
	BUILD=$(BUILD) tests/portability/run $(WAYS)

## sanitize: units, the fuzzers' corpora and tests/e2e with AddressSanitizer and UndefinedBehaviorSanitizer
sanitize:
	tools/packages build check
	$(MAKE) BUILD=$(BUILD)/sanitize $(SANITIZED) $(SANITIZER_OPTIONS)
	$(MAKE) BUILD=$(BUILD)/sanitize $(SANITIZED) SANITIZE="-fsanitize=$(SANITIZERS)" LDFLAGS=$(SANITIZER_OPTIONS) tests
	BUILD=$(BUILD)/sanitize tests/run env ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=print_suppressions=0 \
		prove --merge $(PROVE_FLAGS) $(call sanitized,$(UNITS) $(FUZZERS))
	BUILD=$(BUILD)/sanitize tests/run prove --merge $(PROVE_FLAGS) tests/e2e

MEMCHECK ?= $(UNITS) $(FUZZERS)

## valgrind: the unit tests and the fuzzers' corpora under memcheck; MEMCHECK='$(FUZZERS)' only these, in a few seconds
valgrind:
	tools/packages build check valgrind
	$(MAKE) tests
	BUILD=$(BUILD) tests/run prove --merge $(PROVE_FLAGS) --exec "valgrind -q --error-exitcode=99 --leak-check=full \
		--errors-for-leak-kinds=definite --suppressions=tests/valgrind.supp" $(MEMCHECK)

## fuzz: every fuzzer of tests/fuzz for FUZZTIME seconds (60), sanitized; FUZZ="copy mbox" picks some
fuzz:
	tools/packages build fuzz
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang $(SANITIZED) SANITIZE="-fsanitize=fuzzer-no-link,$(SANITIZERS)" FUZZ_MAIN= \
		LDFLAGS=-fsanitize=fuzzer fuzzers
	BUILD=$(BUILD)/fuzz tests/fuzz/run $(FUZZ)

## fuzz-controls: the fuzzers have to notice what tests/fuzz/mutants breaks
fuzz-controls:
	tools/packages build
	tests/fuzz/controls

## peers-crash: other delivery agents under the same kills, as tables in build/peers-crash.md; installs them; takes half an hour
peers-crash:
	tools/packages build check peers
	$(MAKE) tests
	BUILD=$(BUILD) tests/run env JOBS=$(or $(JOBS),2) AGENTS='$(AGENTS)' tests/peers/crash >$(BUILD)/peers-crash.new
	mv $(BUILD)/peers-crash.new $(BUILD)/peers-crash.md
	cat $(BUILD)/peers-crash.md

## coverage: which share of each file's lines the tests execute (as root: what root does, too); text and HTML below build/coverage
coverage:
	tools/packages build check coverage
	tests/coverage $(BUILD)/coverage

## bench: this agent beside others and the bare floor; BENCH=full takes longer, BENCH_DIR says on which disk (tests/bench/run)
## bench-ledger: deliveries as the ledger grows; BENCH=full: up to ten million records
## bench-slow: many deliveries at the same time onto a disk with slow syncs
bench bench-ledger bench-slow:
	tools/packages build peers bench
	$(MAKE) all benches
	$(MAKE) LINK=shared BUILD=$(BUILD)/shared all
	BUILD=$(BUILD) tests/bench/run $(or $(patsubst bench-%,%,$(filter bench-%,$@)),compare)

# The agent as the linker orders it by itself, with its map.
$(BUILD)/tests/touched: tests/bench/touched.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $<

## layout: lda/layout.ld anew, of what deliveries execute; on x86_64, with GNU ld
layout:
	tools/packages build bench
	$(MAKE) BUILD=$(BUILD)/layout LINK=static LAYOUT=-Wl,-Map=$(BUILD)/layout/tests/dedup-lda.map $(BUILD)/layout/tests/touched $(BUILD)/layout/dedup-lda
	BUILD=$(BUILD)/layout tests/run tests/bench/layout >$(BUILD)/layout.ld
	mv $(BUILD)/layout.ld lda/layout.ld

## model: search the models of the protocols, each with what is wrong on purpose (minutes; about 1 GB)
model:
	tools/packages build model
	tests/model/run full

## crash: every kill, fault and power cut, and longer storms, in JOBS processes; SHARE=k/n a part of it; HACKING.md says how long
crash:
	tools/packages build check
	$(MAKE) tests
	BUILD=$(BUILD) tests/run env CRASH=full JOBS=$(or $(JOBS),2) SHARE=$(or $(SHARE),1/1) $(if $(SEED),SEED=$(SEED)) \
	    prove -v tests/crash
	BUILD=$(BUILD) CRASH=full prove -v tests/root/lmtpd_kill.t

## lint: compilers with -Werror, cppcheck, clang-tidy, mandoc, shellcheck
lint:
	tools/packages build lint
	tests/lint $(MANUALS)

## analyze: gcc -fanalyzer and clang's static analyzer with more than what lint asks of it; minutes
analyze:
	tools/packages build lint
	tests/analyze

# Manual, README and examples name the programs where they are installed; the manual also the version.
INSTALLED_MANUALS = $(foreach page,$(MANUALS),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
PLACES = -e 's|/usr/local/bin/dedup|$(BINDIR)/dedup|g' -e 's|/usr/local/sbin/dedup|$(SBINDIR)/dedup|g' \
	-e 's|/usr/local/libexec/dedup-lda|$(LIBEXECDIR)|g' -e 's|/usr/local/share/doc/dedup-lda|$(DOCDIR)|g' \
	-e 's|^\.Os$$|.Os dedup-lda $(VERSION)|'

# A program that a delivery may start while this goes on: never missing, never half there.
define install_at_once
$(INSTALL) -m 755 $(1) $(DESTDIR)$(2)/$(notdir $(1)).new
mv -f $(DESTDIR)$(2)/$(notdir $(1)).new $(DESTDIR)$(2)/$(notdir $(1))

endef

## install: programs, manual, docs, examples and completion for bash and zsh below DESTDIR and PREFIX
install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 \
		$(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DOCDIR) $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR)
	$(foreach program,$(BUILD)/dedup-lda-nss $(REDIS_PROGRAMS),$(call install_at_once,$(program),$(LIBEXECDIR)))
	$(call install_at_once,$(BUILD)/dedup-lda,$(BINDIR))
	$(call install_at_once,$(BUILD)/dedup-lmtpd,$(SBINDIR))
	$(INSTALL) -m 755 $(BUILD)/dedupdb $(BUILD)/smtp-gap $(DESTDIR)$(SBINDIR)
	$(INSTALL) -m 644 $(filter %.5,$(MANUALS)) $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 $(filter %.7,$(MANUALS)) $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 644 $(filter %.8,$(MANUALS)) $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 completion/dedup-lda.bash $(DESTDIR)$(BASHCOMPDIR)/dedup-lda
	ln -sf dedup-lda $(DESTDIR)$(BASHCOMPDIR)/dedupdb
	ln -sf dedup-lda $(DESTDIR)$(BASHCOMPDIR)/smtp-gap
	$(INSTALL) -m 644 completion/_dedup-lda $(DESTDIR)$(ZSHCOMPDIR)
	$(INSTALL) -m 644 README.md HACKING.md CHANGELOG.md LICENSE $(DESTDIR)$(DOCDIR)
	for folder in examples $(wildcard examples/*/); do \
		$(INSTALL) -d $(DESTDIR)$(DOCDIR)/$$folder || exit 1; \
		for file in $$folder/*; do \
			[ -d $$file ] || $(INSTALL) -m 644 $$file $(DESTDIR)$(DOCDIR)/$$folder || exit 1; \
		done; \
	done
	$(INSTALL) -d $(DESTDIR)$(DOCDIR)/docs
	$(INSTALL) -m 644 docs/*.md $(DESTDIR)$(DOCDIR)/docs
	rm -f $(DESTDIR)$(DOCDIR)/examples/demo*	# runs in a checkout only
	find $(DESTDIR)$(DOCDIR) -type f -exec sed -i $(PLACES) $(INSTALLED_MANUALS) {} +
	for picture in tests/browser/page.png tests/bench/bench.svg; do \
		$(INSTALL) -D -m 644 $$picture $(DESTDIR)$(DOCDIR)/$$picture || exit 1; \
	done

## uninstall: remove what install put there
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/dedup-lda $(DESTDIR)$(LIBEXECDIR)/dedup-lda-nss $(DESTDIR)$(LIBEXECDIR)/dedup-lda-redis $(DESTDIR)$(SBINDIR)/dedup-lmtpd $(DESTDIR)$(SBINDIR)/dedupdb $(DESTDIR)$(SBINDIR)/smtp-gap \
		$(INSTALLED_MANUALS)
	rm -f $(DESTDIR)$(BASHCOMPDIR)/dedup-lda $(DESTDIR)$(BASHCOMPDIR)/dedupdb $(DESTDIR)$(BASHCOMPDIR)/smtp-gap \
		$(DESTDIR)$(ZSHCOMPDIR)/_dedup-lda
	rmdir $(DESTDIR)$(LIBEXECDIR) 2>/dev/null || true
	rm -rf $(DESTDIR)$(DOCDIR)

## dist: what is committed as build/dedup-lda-VERSION.tar.gz; its bytes depend on the commit alone
dist:
	@[ -e .git ] || { echo "make dist: this is no checkout; it packs what is committed" >&2; exit 1; }
	@git diff --quiet HEAD || echo "make dist: changes that are not committed stay out" >&2
	@mkdir -p $(BUILD)
	git -c tar.umask=0022 -c core.autocrlf=false archive --format=tar --prefix=dedup-lda-$(VERSION)/ -o $(TARBALL:.gz=) HEAD
	gzip -9nf $(TARBALL:.gz=)
	@cd $(BUILD) && sha256sum $(notdir $(TARBALL))

## deb: install what is missing, build the Debian package of what is committed, into build/deb/
deb:
	tools/packages build deb
	$(MAKE) dist
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb
	tar -C $(BUILD)/deb -xzf $(TARBALL)
	cd $(BUILD)/deb/dedup-lda-$(VERSION) && \
		env -i PATH="$$PATH" LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS="$$DEB_BUILD_OPTIONS" dpkg-buildpackage -us -uc
	rm -r $(BUILD)/deb/dedup-lda-$(VERSION)
	@cd $(BUILD)/deb && sha256sum *.deb

clean:
	rm -rf $(BUILD)

help:
	@echo "make: build into $(BUILD)/ (LINK=static|shared, WITH_REDIS=yes|no, WITHOUT=\"landlock ofd-locks\", CC, CFLAGS, BUILD)"
	@sed -n 's/^## /make /p' $(MAKEFILE_LIST)

-include $(shell find $(BUILD)/obj $(BUILD)/tests $(BUILD)/bench -name '*.d' 2>/dev/null)

FORCE:

.PHONY: all FORCE tests objects portability analyze demo gap check browser crash fuzzers sanitize valgrind fuzz fuzz-controls units model lint install uninstall dist deb clean help peers-crash benches bench bench-ledger bench-slow layout coverage
