#!/bin/sh
# The agent, or a worker of the LMTP server, is killed before every system call, each of its system calls fails, the power is cut, its
# ledger is damaged, and a storm of kills with a reader. After that mail must be there exactly once; only what a ledger knew before it
# was damaged may come twice.
#
# CRASH=full plays every scene, with every point, error, power cut and damage, and longer storms, and says how far it is; with
# SHARE=k/n only part k of n of it, but for the storms. JOBS=N processes play it. SEED=N repeats what is chosen at random.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/../e2e/tap.sh"
: "${SEED:=$(date +%s)}" "${CRASH:=quick}" "${SHARE:=1/1}" "${JOBS:=2}"
export BUILD
# The helpers print what they find, when they find it: on standard error, since prove(1) keeps what it is told until the end, which is hours
# away. A scene that was wrong has that as its last word.
plays() {	# plays NAME COMMAND...
	what=$1
	shift
	[ "$CRASH" != full ] || echo "# $(date -u +%H:%M:%S) UTC: $what" >&2
	{ "$@" 2>&1; echo $? >rc; } | tee played | sed -u 's/^\([^#]\)/# \1/' >&2
	rc=$(cat rc)
	if grep -q '^SKIP' played; then
		skip "$what" "$(sed -n 's/^SKIP: //p' played)"
	else
		is "$rc" 0 "$what"
	fi
}
echo "# CRASH=$CRASH SHARE=$SHARE SEED=$SEED"

# What can't find the faults of these finds nothing in another agent.
plays 'killed: an agent that publishes first is found out' "$BUILD/tests/kill" -w publish-first "$D"
plays 'killed: an agent that records first is found out' "$BUILD/tests/kill" -w record-first "$D"
plays 'faults: a careless agent is found out' "$BUILD/tests/fault" -e short,ENOSPC,EIO -w careless "$D"
for kind in stubborn trusting forgetful; do
	plays "damage: a $kind agent is found out" "$BUILD/tests/damage" -w "$kind" "$D"
done
plays 'storm: an agent that publishes first is found out' "$BUILD/tests/storm" -s "$SEED" -w publish-first 3 "$D"
# The harness of tests/peers, which runs any command, on several processes: a shell and what it starts.
any() {	# any STATUS NAME OPTION... COMMAND
	want=$1 what=$2
	shift 2
	rm -rf any && mkdir -p any/home/M/tmp any/home/M/new any/home/M/cur
	"$BUILD/tests/agent_kill" "$1" -s new "$D/any" maildir "$D/any/home" "$D/any/home/M" /bin/sh -c "$2; exit \$?" >played 2>&1
	rc=$?
	if grep -q '^SKIP' played; then skip "$what" "$(cat played)"; else is "$rc" "$want" "$what" || diag "$(cat played)"; fi
}
any 1 'any agent, killed: one that publishes first is found out' -1 "$BUILD/tests/wrong_agent publish-first $D/any/home/M $D/any/home/R"
any 1 'any agent, killed: one that records first is found out' -v "$BUILD/tests/wrong_agent record-first $D/any/home/M $D/any/home/R"
any 0 'any agent, killed: ours is not' -1 \
	"$BUILD/dedup-lda -o mailbox=maildir:$D/any/home/M -o ledger=bdb:$D/any/home/L -o log=file:$D/any/home/log"
for path in /tmp/ /log. /new; do
	plays "power: an agent that does not sync $path is found out" \
	    "$BUILD/tests/power" -q -d journal -s 'maildir new' -x "$path" "$D"
done
plays 'power: sync=auto on a file system that needs strict is found out' "$BUILD/tests/power" -q -d weak -s 'maildir new' "$D"
for way in link replace; do
	plays "dedupe, killed: to move files by $way is found out" "$BUILD/tests/dedupe_kill" -w $way "$D"
done
plays 'dedupdb, killed: a ledger that goes away is found out' "$BUILD/tests/tool_kill" -w -q -S 1/3 -s restore "$D"
plays 'LMTP server, killed: a ledger that goes away is found out' "$BUILD/tests/lmtpd_kill" -q -w -s 'maildir, a' "$D"
plays 'LMTP server, faults: a promise that nobody gave is found out' "$BUILD/tests/lmtpd_fault" -q -w -p defer -e ENOSPC -s 'mbox, a' "$D"
all=
[ "$CRASH" != full ] || all=-a
for kind in pipe lmtp; do
	plays "hand-over, killed: without a ledger ($kind) is found out" "$BUILD/tests/handover_kill" -q -w -s $kind "$D"
done
plays 'hand-over, killed: twice in the window only' "$BUILD/tests/handover_kill" ${all:--q} "$D"
plays 'dedupe, killed before its system calls' "$BUILD/tests/dedupe_kill" $all "$D"
plays 'dedupe, with a reader and a delivery at its system calls' "$BUILD/tests/dedupe_kill" -b $all "$D"
if [ "$CRASH" = full ]; then
	plays 'killed before and after every system call' "$BUILD/tests/kill" -a -j "$JOBS" -S "$SHARE" "$D"
	plays 'dedupdb, killed before and after every system call of every command' \
	    "$BUILD/tests/tool_kill" -a -j "$JOBS" -S "$SHARE" "$D"
	plays 'every system call fails' "$BUILD/tests/fault" -j "$JOBS" -S "$SHARE" "$D"
	plays 'LMTP server, killed before and after every system call' \
	    "$BUILD/tests/lmtpd_kill" -m -j "$JOBS" -S "$SHARE" -r "$SEED" "$D"
	plays 'LMTP server, every system call of a worker fails' "$BUILD/tests/lmtpd_fault" -j "$JOBS" -S "$SHARE" "$D"
	plays 'the power is cut anywhere' "$BUILD/tests/power" -j "$JOBS" -S "$SHARE" -r "$SEED" "$D"
	plays 'the ledger is damaged in every way' "$BUILD/tests/damage" -j "$JOBS" -S "$SHARE" -s "$SEED" "$D"
	for round in 1 2 3; do
		plays "storm $round on a Maildir" "$BUILD/tests/storm" -s "$((SEED + round))" 60 "$D"
		plays "storm $round on an mbox" "$BUILD/tests/storm" -k mbox -s "$((SEED + round))" 60 "$D"
	done
else
	plays 'killed before every system call' "$BUILD/tests/kill" -q "$D"
	plays 'dedupdb, killed in every command' "$BUILD/tests/tool_kill" -q -r "$SEED" "$D"
	plays 'system calls fail' "$BUILD/tests/fault" -q -p defer "$D"
	plays 'LMTP server, killed' "$BUILD/tests/lmtpd_kill" -q -m -r "$SEED" "$D"
	plays 'LMTP server, system calls fail' "$BUILD/tests/lmtpd_fault" -q -p defer -e ENOSPC,EIO,EINTR "$D"
	plays 'the ledger is damaged' "$BUILD/tests/damage" -q -s "$SEED" "$D"
	plays 'the power is cut' "$BUILD/tests/power" -q -n 1 -r "$SEED" "$D"
	plays 'storm on a Maildir' "$BUILD/tests/storm" -s "$SEED" 3 "$D"
	plays 'storm on an mbox' "$BUILD/tests/storm" -k mbox -s "$SEED" 3 "$D"
fi
plan
