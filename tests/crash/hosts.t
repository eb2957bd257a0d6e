#!/bin/sh
# Two delivery hosts share a Maildir tree and a ledger in Redis: the storm of crash.t on both, with what can happen to the servers
# in the middle of it. None is lost. One comes twice only where the engine forgot what it had confirmed (a failover) or where
# on-ledger-failure = deliver did without it; each such message has to be one of these, and is counted.
#
# CRASH=full: longer, and more often. SEED=N repeats what is chosen at random.
here=$(cd "${0%/*}/../e2e" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/redis.sh
. "$here/redis.sh"
: "${SEED:=$(date +%s)}" "${CRASH:=quick}"
export BUILD
need_redis 'two hosts'
LONG=1200	# s; longer than any of these storms takes
if [ "$CRASH" = full ]; then rounds=5 calm=12; else rounds=1 calm=0; fi
echo "# CRASH=$CRASH SEED=$SEED"

# rage URL [OPTION]...: a storm begins, and goes on until it is over
rage() {
	url=$1
	shift
	rm -rf storm host1 host2 away doubled
	: >away && : >doubled
	rm away
	storm -H 2 -j 4 -l "$url" -s "$SEED" -a "$D/away" -d "$D/doubled" "$LONG" "$D" ledger-timeout=2s "$@" >played 2>&1 &
	raging=$!
	sleep 1
}
# over NAME: it ends, and it raged until now
over() {
	ok "$1: the storm goes on meanwhile" kill -TERM $raging
	wait $raging
	rc=$?
	sed 's/^\([^#]\)/# \1/' played
	is "$rc" 0 "$1: no message is lost or torn, none is refused in the end" && return
	sed -n 's/^# [a-z]*: message \([0-9]*\),.*/\1/p' played | while read -r id; do
		diag "of message $id:" "$(logged | grep -F "msgid=<storm$id@" | cut -d ' ' -f 1,3- | head -n 8)" "..." \
		    "$(logged | grep -F "msgid=<storm$id@" | tail -n 2)"
	done
}
once() { is "$(lines doubled)" 0 "$1: and none comes twice"; }
logged() { cat host1/log host2/log; }

# What the old master knew, and the new one did not: records that the new one has not, or that were decided there again, at another time,
# since it had not heard that they were delivered.
moments() {	# moments FILE: fingerprints and times of an export, sorted
	sed -n 's/^{"fingerprint":"\([0-9a-f]*\)".*"first":\([0-9]*\),"decided":\([0-9]*\).*/\1 \2 \3/p' "$1" | sort
}
export_of() { "$BUILD/dedupdb" -l "$1" export >"$2" 2>export.err || diag "$(cat export.err)"; }
compare() {	# compare OLD NEW: the fingerprints of these, into the file `lost`
	export_of "$1" old.jsonl
	export_of "$2" new.jsonl
	moments old.jsonl >old.times
	moments new.jsonl >new.times
	comm -23 old.times new.times | cut -d ' ' -f 1 >lost
}
# explained NAME: each doubled one has a record that was forgotten, as the file `lost` says
explained() {
	title=$1
	unexplained=0
	logged | sed -n 's/.* msgid=<\([^>]*\)> fp=\([0-9a-f]*\) .*/\1 \2/p' | sort -u >names
	while read -r id _; do
		fp=$(sed -n "s/^$id //p" names)
		if [ -z "$fp" ] || ! grep -q "^$fp" lost; then
			unexplained=$((unexplained + 1))
			diag "$id $fp came twice, and was not forgotten" "$(logged | grep -F "msgid=<$id>" | head -n 20)"
		fi
	done <doubled
	echo "# $title: $(lines lost) records were forgotten, $(lines doubled) messages came twice"
	is "$unexplained" 0 "$title: what came twice was forgotten by the engine"
}

# What finds no fault in two hosts that have a ledger each finds none at all.
storm -H 2 -s "$SEED" 3 "$D" 'ledger=bdb:~/L' >played 2>&1
is $? 1 'two hosts with a ledger each are found out'
ok 'by messages that came twice' grep -Eq ' lost=0 doubled=[1-9]' played

# A server, and nothing happens to it.
server one
rage "redis://127.0.0.1:$(port one)/0"
sleep "$((2 + calm * 3))"
over 'one server'
once 'one server'

# It ends, and comes back; is killed, and comes back; stands still.
gone() {	# gone HOW BACK SECONDS: for so long
	: >away
	"$1" one
	sleep "$3"
	"$2" one
	sleep 2
	rm away
}
# troubles HOW BACK: for a few times this and the others; or once, and this alone
troubles() {
	if [ "$CRASH" != full ]; then
		gone "$1" "$2" 1
		return
	fi
	for _ in $(seq "$rounds"); do
		gone halt again 1
		gone crash again 1
		gone freeze thaw 3
		sleep "$calm"
	done
}
empty() { cli one flushall >flush.out; }	# the next storm's messages have the same names
empty
rage "redis://127.0.0.1:$(port one)/0"
troubles crash again
over 'a server that goes away, defer'
once 'a server that goes away, defer'
ok 'some were deferred' grep -Eq ' exit75=[1-9]' played

empty
rage "redis://127.0.0.1:$(port one)/0" on-ledger-failure=deliver
troubles halt again
over 'a server that goes away, deliver'
ok 'deliveries went on without it' grep -q 'action=delivered .* ledger="' host1/log host2/log
unexplained=0
while read -r id killed; do
	[ "$killed" = killed ] || logged | grep -F "msgid=<$id>" | grep -q 'action=delivered .* ledger="' || {
		unexplained=$((unexplained + 1))
		diag "$id came twice, and never without a ledger" "$(logged | grep -F "msgid=<$id>" | head -n 20)"
	}
done <doubled
echo "# $(lines doubled) messages came twice, of $(logged | grep -c 'action=delivered .* ledger="') deliveries without a ledger"
is "$unexplained" 0 'a server that goes away, deliver: what came twice was delivered without the ledger'
halt one

# failover NAME [COMMAND]...: the master is killed, a sentinel promotes its replica
failover() {
	title=$1
	shift
	stop_servers
	rm -rf "${R:?}"/*
	pair
	watch 3
	rage "redis+sentinel://$sentinels/mail/0"
	sleep 1
	"$@"
	crash one
	ok "$title: the replica takes over" wait_for promoted two
	sleep "$((2 + calm / 2))"
	over "$title"
	archive one
	compare "redis://127.0.0.1:$(port old)/0" "redis://127.0.0.1:$(port two)/0"
	explained "$title"
}
lag() {
	forget_replicas one >forget.out
	sleep 1
}
for _ in $(seq "$rounds"); do
	[ "$CRASH" != full ] || failover 'a failover' true
	failover 'a failover that forgets a second' lag
	ok 'it did forget' test -s lost
done
stop_servers

# Three masters: a slot after another moves to another one, and a master is killed.
cluster 'loglevel warning'
slots_in_use() {
	for c in c1 c2 c3; do cli $c --scan --pattern 'dedup-lda:*' | sed 's/^/CLUSTER KEYSLOT /' | cli $c; done | sort -n | uniq
}
holder() {	# holder SLOT: which of the three has keys of it
	for c in c1 c2 c3; do
		! cli $c cluster countkeysinslot "$1" | grep -qx '[1-9][0-9]*' || echo $c
	done | head -n 1
}
move() {	# move SLOT: to the next one
	from=$(holder "$1")
	case $from in c1) next=c2 ;; c2) next=c3 ;; *) next=c1 ;; esac
	slot_begin "$1" "$from" "$next" && slot_keys "$1" "$from" "$next" && slot_end "$1" "$from" "$next"
}
migrate() {	# migrate N: so many slots that have records
	moved=0
	for slot in $(slots_in_use | head -n "$1"); do
		move "$slot" >>slots.out 2>&1 && moved=$((moved + 1))
	done
	echo "# $moved slots moved"
	ok 'slots moved' test "$moved" -ge 20
}
# A machine that is too busy may make a replica a master before its time.
others() { for c in c1 c3; do promoted $c || return 1; done; }
rage "redis+cluster://127.0.0.1:$(port c1),127.0.0.1:$(port c2)"
sleep 1
migrate "$((20 + 10 * calm))"
crash c2
ok 'its replica takes over' wait_for promoted c5
sleep "$((2 + calm))"
over 'a cluster'
if others; then
	archive c2
	compare "redis://127.0.0.1:$(port old)/0" "redis+cluster://127.0.0.1:$(port c1)"
	explained 'a cluster'
else
	skip 'a cluster: what came twice was forgotten by the engine' 'another master was given up, too: this machine is too busy'
fi
plan
