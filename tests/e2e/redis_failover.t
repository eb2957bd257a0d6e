#!/bin/sh
# A master, its replica, and sentinels that promote it. What the replica has not got when the master dies is forgotten: each message of
# that kind whose copy comes is there twice, all others are there once, and none is lost.
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/redis.sh
. "$here/redis.sh"
need_redis 'a ledger in Redis with a replica'
mkdir M
unpublished() { find M/tmp -type f ! -name '*,*' | wc -l | tr -d ' '; }	# a staged message, without what lies beside it
arrived() { grep -rl "^Message-ID: <$1@" M/new M/cur | wc -l | tr -d ' '; }	# how often
deliver() {	# deliver ACTION NAME ID [OPTION]...
	message "$3" >m
	action=$1 title=$2
	shift 3
	does "$action" "$title" -o on-ledger-failure=defer "$@" <m
}
same_offset() {	# the replica has all that its master has
	[ "$(cli one info replication | sed -n 's/^master_repl_offset://p')" = "$(cli two info replication | sed -n 's/^master_repl_offset://p')" ]
}

pair
watch 3
ledger=redis+sentinel://$sentinels/mail/0
deliver delivered 'through sentinels' known
deliver duplicate 'its copy' known
ok 'the master has the record' test "$(cli one dbsize)" -gt 0
message 'no such master' >m
defers 'nomail' 'a master that no sentinel knows' -o on-ledger-failure=defer -o "ledger=redis+sentinel://$sentinels/nomail/0" -o ledger-timeout=1s <m
is "$(arrived 'no such master') $(staged)" '0 0' 'nothing arrives'

# A delivery that was killed between its decision and its publication; then the master dies.
if can_trace; then
	message killed >m
	run=$(kill_at "$RENAME" 1)
	lda <m
	ok 'a delivery is killed after its decision' grep -q 'killed by SIGKILL' trace.out
	run=
	is "$(arrived killed) $(unpublished)" '0 1' 'it is staged, and not published'
fi
wait_for same_offset
crash s1
freeze one
deliver duplicate 'while the master stands still: its copy waits for the failover' known -o ledger-timeout=30s
ok 'the replica is the master now' promoted two
if can_trace; then
	deliver helped 'what was decided before is published' killed
	is "$(arrived killed) $(staged)" '1 0' 'once'
	deliver duplicate 'and its copy is known' killed
fi
deliver delivered 'a new message' second
thaw one
deliver duplicate 'the old master is back, and believes it is one: nobody asks it' second -o "ledger=redis+sentinel://$sentinels/mail/0"
ok 'and it knows nothing of that' test "$(cli one dbsize)" -le "$(cli two dbsize)"
message 'all sentinels' >m
crash s2
crash s3
defers 'refused|entinel' 'no sentinel is left' -o on-ledger-failure=defer -o ledger-timeout=1s <m
stop_servers
rm -rf "${R:?}"/*

# The master confirms what its replica never gets.
pair
ledger=redis://127.0.0.1:$(port one)/0
deliver delivered 'a pair' early
wait_for same_offset
forget_replicas one >forget.out
for i in 1 2 3 4 5; do deliver delivered 'the replica gets nothing more' "late$i"; done
if can_trace; then
	message killed2 >m
	run=$(kill_at "$RENAME" 1)
	lda <m
	run=
fi
before=$(unpublished)
crash one
cli two replicaof no one >promote.out
ledger=redis://127.0.0.1:$(port two)/0
deliver duplicate 'after the failover: what the replica had' early
for i in 1 2 3 4 5; do deliver delivered 'after the failover: what it had not' "late$i"; done
twice=0
for i in 1 2 3 4 5; do [ "$(arrived "late$i")" -ne 2 ] || twice=$((twice + 1)); done
is "$twice" 5 'each of these is there twice'
echo "# 6 records, 5 of which the replica never got: $twice messages came twice, and none is lost"
for i in 1 2 3 4 5; do deliver duplicate 'and is known from now on' "late$i"; done
is "$(arrived early)" 1 'what was not forgotten is there once'
if can_trace; then
	deliver delivered 'a decision that was forgotten: its copy is delivered' killed2
	is "$(arrived killed2) $before $(unpublished)" '1 1 1' 'once; what had been staged stays, and harms nobody'
	deliver duplicate 'and its copy is known' killed2
fi

# A master that wants a replica for each write forgets little, and says no when it has none.
again one
wait_for answers one
ledger=redis://127.0.0.1:$(port one)/0
cli one config set min-replicas-to-write 1 >config.out
message lonely >m
defers 'NOREPLICAS|replica' 'min-replicas-to-write without one' -o on-ledger-failure=defer -o ledger-timeout=1s <m
is "$(arrived lonely)" 0 'nothing arrives'
cli one config set min-replicas-to-write 0 >config.out
deliver delivered 'and without that setting' lonely
plan
