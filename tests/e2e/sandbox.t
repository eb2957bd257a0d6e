#!/bin/sh
# The sandbox round a real delivery: it is closed before the message is read, it does without where the kernel has none, and nothing that
# a delivery needs lies outside. What it keeps out is in tests/unit/test_sandbox.c.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
{ message 2 && yes 'a line' | head -c 1000000; } >big

if ! can_trace; then
	skip 'sandbox' 'strace can not trace here'
	plan
	exit
fi
traced() {	# traced NAME OPTION... <message: with -v; $inject: what strace does to system calls
	title=$1
	shift
	run="strace -f -o trace.out -e trace=landlock_create_ruleset,landlock_restrict_self,read $inject"
	does delivered "$title" -v "$@"
	run=
}
# The lines on which the sandbox was closed and the message first read.
closed() { grep -n 'landlock_restrict_self(.*= 0$' trace.out | head -n 1 | cut -d: -f1; }
first_read() { grep -n 'read(0, ' trace.out | head -n 1 | cut -d: -f1; }
silent() { is "$(lines err)" 1 "$1: no other line"; }

inject=
strace -o trace.out -e trace=landlock_create_ruleset "$BUILD/dedup-lda" -o "mailbox=$mailbox" -o ledger=none -o log=stderr <m 2>err
if [ "$(sed -n 's/.*LANDLOCK_CREATE_RULESET_VERSION) *= //p' trace.out | head -n 1 | tr -dc 0-9)" -ge 2 ] 2>/dev/null; then
	for in in m big; do
		for kind in maildir:$D/M mbox:$D/box pipe:true; do
			for l in bdb:$D/L none; do
				fresh
				mailbox=$kind ledger=$l
				traced "$in, $kind, $l" <$in
				ok 'closed before a byte is read' test "$(closed)" -lt "$(first_read)"
				silent "$in, $kind, $l"
			done
		done
	done
else
	skip 'closed before a byte is read' "no Landlock here: $(grep -v '^+++' trace.out)"
fi
mailbox=maildir:$D/M ledger=bdb:$D/L

# Without one. Kernels say it in two ways, and the first version forbids renames between folders.
for error in ENOSYS EOPNOTSUPP; do
	fresh
	inject="-e inject=landlock_create_ruleset:error=$error"
	traced "$error" <m
	says 'notice="no sandbox: the kernel has none"' "$error: -v says so"
	is "$(copies)" 1 "$error: delivered"
	message $error >in
	run="strace -f -o trace.out $inject"
	exits 0 "$error, without -v" <in
	run=
	is "$(cat out err | wc -c)" 0 "$error, without -v: not a byte"
done
fresh
inject='-e inject=landlock_create_ruleset:retval=1'
traced 'the first version' <m
says 'notice="no sandbox: the kernel has none"' 'the first version is not used'
is "$(grep -c landlock_restrict_self trace.out)" 0 'nor closed'
is "$(copies)" 1 'delivered'
fresh
inject='-e inject=landlock_restrict_self:error=E2BIG'
traced 'a kernel that refuses' <m
says 'notice="no sandbox: the kernel refused"' '-v says so'
is "$(copies)" 1 'delivered'
inject=

# What a delivery needs is inside: a record that names another folder, folders and locks that are made late.
fresh
mkdir -p M/.work/tmp M/.work/new M/.work/cur
lda -m work <m	# a ledger
message other >in
run=$(kill_at "$RENAME" 1)
lda -m work <in
run=
is "$(copies)" 1 'killed in another folder, before the rename'
does helped 'the next copy, for the inbox' <in
is "$(copies_in M/.work) $(copies)" '2 2' 'it is in the folder for which it was decided'
message late >in
lda <in
does filed 'a folder for duplicates that is not there yet' -o on-duplicate=folder:Late <in
is "$(copies_in M/.Late)" 1 'it has the copy'
rm -rf L/env L/lock
does delivered 'a ledger that has lost all' <in
does duplicate 'and is whole again' <in
plan
