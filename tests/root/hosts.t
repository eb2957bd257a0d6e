#!/bin/sh
# Two hosts with one ledger, whose processes are killed: a Maildir that both share, and one that each has for itself under the same path (in a
# mount namespace). Each message is there exactly once, over both.
#
# SEED=N repeats the order of what happens, not its moments; MESSAGES=N makes it longer.
# shellcheck source=tests/root/root.sh
. "${0%/*}/root.sh"
can_trace || skip_all 'system calls can not be traced here'
: "${SEED:=$(date +%s)}" "${MESSAGES:=80}"
echo "# SEED=$SEED"
value() { sed -n "s/^.*[ ]*\\<$1=\([0-9]*\).*\$/\1/p" storm; }
storm() {	# storm MODE NAME NAME
	homes
	"$here/hosts_storm" "$1" "$2" "$3" bdb:/home/joe/L "$MESSAGES" "$SEED" "$BUILD/dedup-lda" >storm
	is $? 0 "$1, '$2' and '$3': the test ran"
	sed 's/^/# /' storm
}
clean() {	# clean NAME
	is "$(value refused)" 0 "$1: every copy was taken in the end"
	is "$(value missing)" 0 "$1: no message is missing"
	is "$(value twice)" 0 "$1: none is there twice"
	is "$(value torn)" 0 "$1: all are whole"
	is "$(value pending)" 0 "$1: nothing is pending after recover on both"
}
storm shared a b
clean 'a Maildir for both'
ok 'a Maildir for both: some were finished by another copy' test "$(value helped)" -ge 1
storm apart a b
clean 'one for each'
ok 'one for each: some were left to the other host' test "$(value left-to-host)" -ge 1

# The same storm of hosts that don't tell who they are has to see what is wrong then.
storm apart '' ''
ok "without names: some are there twice" test "$(value twice)" -ge 1
plan
