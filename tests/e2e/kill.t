#!/bin/sh
# The agent is killed at random moments, and its message delivered again until it is taken, and once more. Each is there exactly once.
#
# SEED=N repeats a run's moments; KILLS=N makes more of them.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
: "${SEED:=$(date +%s)}" "${KILLS:=100}"
echo "# SEED=$SEED"

value() { sed -n "s/^.*[ ]*$1=\([0-9]*\).*\$/\1/p" killed; }
killed() {	# killed NAME KIND PATH COMMAND...
	what=$1
	shift
	killer "$@" >killed
	is $? 0 "$what: the test ran"
	sed 's/^/# /' killed
}
clean() {	# clean NAME: nothing is wrong
	is "$(value kills)" "$KILLS" "$1: $KILLS kills hit a running agent"
	is "$(value refused)" 0 "$1: every message was taken in the end"
	is "$(value missing)" 0 "$1: none is missing"
	is "$(value double)" 0 "$1: none is there twice"
	is "$(value torn)" 0 "$1: all are whole, and there is nothing else"
}
lda=$BUILD/dedup-lda
killed Maildir maildir "$D/M" "$KILLS" "$SEED" "$lda" -o "mailbox=maildir:$D/M" -o "ledger=bdb:$D/L" -o "log=file:$D/log"
clean Maildir
echo "# finished by another copy: $(count 'action=helped' log)"
killed mbox mbox "$D/box" "$KILLS" "$SEED" "$lda" -o "mailbox=mbox:$D/box" -o "ledger=bdb:$D/L" -o "log=file:$D/log.mbox"
clean mbox
echo "# finished by another copy: $(count 'action=helped' log.mbox)"

# The same test of an agent that publishes first and records afterwards must see what is wrong with it.
mkdir -p wrong/tmp wrong/new wrong/cur
killed 'a wrong agent' maildir "$D/wrong" "$KILLS" "$SEED" publish_first "$D/wrong" "$D/records"
is "$(value missing)" 0 'a wrong agent: none is missing'
ok 'a wrong agent: some are there twice' test "$(value double)" -ge 1
plan
