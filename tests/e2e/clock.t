#!/bin/sh
# A clock that is wrong, or was: what ledger and mailbox hold is then from the future, or from long ago. No message is lost. A jump ahead may
# cost a copy, and nothing else. tests/e2e/ledger_edit moves the times of the records; the times of files are set.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
day=86400
age() { ledger_edit "$D/L" age "$1" || echo "Bail out! ledger_edit age $1"; }	# age SECONDS: every record is so much older
pending() { "$BUILD/dedupdb" -l "$ledger" list --pending | wc -l | tr -d ' '; }
content() {	# content NAME: the tools can live with these times, and show no negative ages
	for command in stat list 'list --sort' gaps verify "why <1@example.org>" 'show m'; do
		# shellcheck disable=SC2086 # a command and its argument
		db 0 "$1: ${command%% *}" $command
		ok "$1: ${command%% *}: no negative age" not grep -Eq '(^|[ (	])-[0-9]+[smhdw]' out
	done
	db 1 "$1: check" check m
}

# The clock was ahead when the message came, and was set back since.
for past in 100 $((8 * day)) $((36500 * day)); do
	fresh
	does delivered "it came $past s in the future" <m
	age -$past
	does duplicate "it came $past s in the future: a copy" <m
	matches "$(cat log)" ' age=0( |$)' "it came $past s in the future: its age is 0"
	content "it came $past s in the future"
	db 0 "it came $past s in the future: prune" prune
	does duplicate "it came $past s in the future: a copy after prune" <m
	is "$(copies)" 1 "it came $past s in the future: one copy"
done

# The clock jumps ahead: what was delivered counts no longer, so that a copy is let through, once.
for later in $((8 * day)) $((36500 * day)); do
	fresh
	does delivered "$later s pass" <m
	age $later
	does delivered "$later s pass: a copy comes once more" <m
	does duplicate "$later s pass: and no more" <m
	is "$(copies)" 2 "$later s pass: two copies"
done

if ! can_trace; then
	skip 'pending records' 'strace can not trace here'
	plan
	exit
fi

# A message was decided and not published. Whatever the clock says, the next copy finishes that, and so does dedupdb.
for by in -100 -$((8 * day)) -$((36500 * day)) 100 $((2 * day)) $((8 * day)) $((36500 * day)); do
	for who in copy recover; do
		fresh
		run=$(kill_at "$RENAME" 1)
		lda <m
		run=
		is "$(pending) $(staged) $(copies)" '1 1 0' "decided $by s ago: staged"
		age $by
		if [ $who = copy ]; then
			does helped "decided $by s ago: the next copy" <m
		else
			db 0 "decided $by s ago: recover" recover
		fi
		is "$(pending) $(staged) $(copies)" '0 0 1' "decided $by s ago, $who: published, once"
	done
done

# It was published and not marked, and the reader has removed it. From the future or young: proved. Long ago: a doubt, which delivers.
for by in 0 -100 -$((8 * day)) $((2 * day)); do
	fresh
	mkdir -p M/tmp M/new M/cur
	run=$(kill_at "$SYNC" 1 "$D/M/new")	# after the rename
	lda <m
	run=
	is "$(pending) $(staged) $(copies)" '1 0 1' "published $by s ago, and not marked"
	find M/new -type f -delete
	age $by
	exits 0 "published $by s ago, and removed: a copy" <m
	[ "$by" -gt 0 ] && want=1 || want=0
	is "$(copies)" "$want" "published $by s ago, and removed: it comes again $want times"
	does duplicate "published $by s ago, and removed: another copy" <m
done

# Files in tmp/ from the future stay, as their writer may be at work; so do those of other programs.
fresh
does delivered 'files in tmp/' <m
for name in 1795710183.M000001P1R00000001.host 1795710183.M000002P1R00000002.host of-others; do
	echo staged >"M/tmp/$name"
done
touch -d '10 days' M/tmp/1795710183.M000001P1R00000001.host M/tmp/of-others
touch -d '2 days ago' M/tmp/1795710183.M000002P1R00000002.host
db 0 'files in tmp/: recover' recover
is "$(cd M/tmp && echo *)" '1795710183.M000001P1R00000001.host of-others' 'files in tmp/: only the old one of ours goes'

# Somebody's dotlock from the future is respected: the message waits, and the log says for what.
fresh
mailbox=mbox:$D/box
echo 1 >box.lock
touch -d '10 days' box.lock
defers 'dotlock' 'a dotlock from the future' -o lock-timeout=1s <m
rm box.lock
does delivered 'a dotlock from the future, removed' <m
plan
