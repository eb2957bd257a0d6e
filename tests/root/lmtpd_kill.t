#!/bin/sh
# The LMTP server, started by root: the worker, and the children that deliver as a user or look one up, are killed, in every eighth point or so
# with the master, and their system calls fail. CRASH=full: each of them; otherwise every 7th call, and every 5th fault.
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"

quick=-q
[ "$CRASH" != full ] || quick=
plays() {	# plays NAME PROGRAM OPTION...
	what=$1 program=$2
	shift 2
	homes
	# shellcheck disable=SC2086 # empty, or an option
	"$BUILD/tests/$program" $quick -u joe:ann "$@" "$D" >played 2>&1
	rc=$?
	if grep -q '^SKIP' played; then skip "$what" "$(cat played)"; else is $rc 0 "$what"; fi
	sed 's/^\([^#]\)/# \1/' played
}
plays 'a ledger that goes away is found out' lmtpd_kill -w -s 'user, the first'
plays 'killed anywhere: once in the mailbox, and nobody else is disturbed' lmtpd_kill -m
plays 'calls fail: what the client was told is true' lmtpd_fault -p defer -e ENOSPC,EIO,EINTR,ENOMEM
plan
