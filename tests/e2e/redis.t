#!/bin/sh
# A ledger in Redis: deliveries by two hosts, every command of dedupdb on it, and the way from Berkeley DB to it and back.
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/redis.sh
. "$here/redis.sh"
need_redis 'a ledger in Redis'
mkdir M
arrived() { grep -rl "^Message-ID: <$1@" "${2:-M}"/new "${2:-M}"/cur | wc -l | tr -d ' '; }
server one "unixsocket $D/socket"
at=127.0.0.1:$(port one)
ledger=redis://$at/0
here_is='-o host=1111111111111111' there_is='-o host=2222222222222222'
# deliver ACTION NAME ID [OPTION]...
deliver() {
	message "$3" >m
	action=$1 title=$2
	shift 3
	does "$action" "$title" -o on-ledger-failure=defer "$@" <m
}

# One mailbox, two hosts.
# shellcheck disable=SC2086 # two words
{
	deliver delivered 'a message' first $here_is
	deliver duplicate 'its copy at the same host' first $here_is
	deliver duplicate 'its copy at another host' first $there_is
	is "$(copies) $(staged)" '1 0' 'one copy'
	deliver delivered 'the same message for another mailbox' first $there_is -o "mailbox=maildir:$D/M2"
	deliver duplicate 'a copy there, at the other host' first $here_is -o "mailbox=maildir:$D/M2"
}
ledger=redis+unix://$D/socket
deliver duplicate 'through a Unix socket' first
# dedup-lda has read its command line by then, and dedup-lda-redis has to find it as it was.
mkdir -p V/example.org
deliver delivered 'addresses in brackets' brackets -f '<>' -a '<joe@example.org>' -o "mailbox=maildir:$D/V/%d/%n"
is "$(cat V/example.org/joe/new/* | head -n 2 | tr '\n' ' ')" 'Return-Path: <> Delivered-To: joe@example.org ' 'addresses in brackets: lose them once'
ledger=redis://$at
deliver duplicate 'without the number of a database: 0' first
ledger=redis://localhost:$(port one)/0
deliver duplicate 'by the name of its host' first
ledger=redis://$at/3
deliver delivered 'in another database' first
ledger=redis://$at/0
is "$(cli one -n 3 dbsize | grep -c '^[1-9]') $(cli one --scan | grep -vc '^dedup-lda:')" '1 0' 'all keys begin with dedup-lda:'
fresh
cli one flushall >flush.out
mkdir M
for i in $(seq 30); do message "many$i" | lda -o on-ledger-failure=defer; done
is "$(copies) $(count 'action=delivered' log)" '30 30' 'many messages'
# For how long keys with records stay. A delivered record goes after the window; a pending one (-1) never.
expiries() {
	for key in $(cli one --scan --pattern 'dedup-lda:*'); do
		[ "$(cli one type "$key")" != string ] || cli one ttl "$key"
	done | sort -n
}
ok 'records stay for the window of 7 days' test "$(expiries | head -n 1)" -ge 604800
ok 'and go then' test "$(expiries | tail -n 1)" -le $((9 * 86400))

# A delivery is killed after its decision. Its copy finishes it, at this host or another one that has the same Maildir.
if can_trace; then
	for host in "$here_is" "$there_is"; do
		# shellcheck disable=SC2086
		{
			message "killed${host##*=}" >m
			run=$(kill_at "$RENAME" 1)
			lda $here_is <m
			ok 'a delivery is killed before it publishes' grep -q 'killed by SIGKILL' trace.out
			run=
			db 0 'list --pending' list --pending
			is "$(lines out)" 1 'its record is pending'
			is "$(expiries | head -n 1)" -1 'which never goes by itself'
			deliver helped 'its copy' "killed${host##*=}" $host
			is "$(arrived "killed${host##*=}") $(staged)" '1 0' 'publishes what was staged'
			deliver duplicate 'and another one is a duplicate' "killed${host##*=}" $here_is
			ok 'now it goes, too' test "$(expiries | head -n 1)" -ge 604800
		}
	done
	message recovered >m
	run=$(kill_at "$RENAME" 1)
	lda <m
	run=
	db 0 'recover' recover
	is "$(arrived recovered) $(staged)" '1 0' 'recover publishes'

	# Where the Maildir is not shared: at this path the other host has one of its own.
	message unshared >m
	run=$(kill_at "$RENAME" 1)
	# shellcheck disable=SC2086
	lda $here_is <m
	run=
	mv M M.here
	mkdir M
	# shellcheck disable=SC2086
	{
		defers '1111111111111111|another host' 'the record of a host whose Maildir is not here' $there_is <m
		is "$(arrived unshared) $(staged)" '0 0' 'nothing is delivered here'
		db 0 'recover at the wrong host' $there_is recover
		db 0 'list --pending' list --pending
		is "$(lines out)" 1 'recover leaves it to that host'
		# The same a day later.
		"$BUILD/dedupdb" -l "$ledger" export >dump
		fp=$(sed -n 's/^{"fingerprint":"\([0-9a-f]*\)","state":"pending".*/\1/p' dump)
		db 0 'forget it' forget "$fp"
		then=$(($(date +%s) - 90000))
		sed "/\"state\":\"pending\"/s/\"first\":[0-9]*,\"decided\":[0-9]*/\"first\":$then,\"decided\":$then/" dump >dump.old
		db 0 'and put it back, a day older' restore <dump.old
		deliver delivered 'a day later it is delivered here' unshared $there_is
		is "$(arrived unshared)" 1 'one copy here'
		deliver duplicate 'which is known' unshared $there_is
		mv M M.there
		mv M.here M
		deliver duplicate 'and known at the first host' unshared $here_is
		is "$(arrived unshared)" 0 'where it was never published'
	}
fi

# dedupdb. Other hosts deliver to this ledger, too, and their mailboxes may not be here.
message elsewhere >m
chmod 500 M/new
lda <m
chmod 700 M/new
is "$rc" 75 'a delivery that does not finish'
mv M M.elsewhere
db 0 'verify where the mailbox is not' verify
prints '^pending  *1$' 'verify where the mailbox is not: pending'
prints '^unreachable  *0$' 'verify where the mailbox is not: not for this host to judge'
prints '^verdict  *well$' 'verify where the mailbox is not: well'
mv M.elsewhere M
db 0 'verify where it is' verify
prints '^staged  *1$' 'verify where it is: staged'
deliver helped 'its copy' elsewhere
records=$("$BUILD/dedupdb" -l "$ledger" list | wc -l)
db 0 'stat' stat
prints "records  *$records\$|records: *$records|^records .*$records" 'stat: as many records as list has'
message many1 >m
db 1 'check' check m
message nobody >stranger
db 0 'check, a new one' check stranger
db 0 'show' show m
prints 'verdict  *duplicate' 'show: a duplicate'
db 0 'why' why '<many1@example.org>'
prints 'many1@example.org' 'why: its history'
fp=$("$BUILD/dedupdb" -o "mailbox=$mailbox" -o "ledger=$ledger" show m | sed -n 's/^fingerprint  *//p')
db 0 'forget, by a prefix' forget "$(echo "$fp" | cut -c 1-16)"
deliver delivered 'what was forgotten comes again' many1
db 0 'verify' verify
db 0 'prune' prune
is "$("$BUILD/dedupdb" -l "$ledger" list | wc -l)" "$records" 'prune drops nothing that counts'
sleep 1.1	# a record of this second is not older
db 0 'prune --older-than 0' prune --older-than 0s
is "$("$BUILD/dedupdb" -l "$ledger" list | grep -vc pending)" 0 'and everything that does not'

# From Berkeley DB to Redis and back.
fresh
mkdir M
cli one flushall >flush.out
ledger=bdb:$D/L
for i in $(seq 20); do message "move$i" | lda -o on-ledger-failure=defer; done
if can_trace; then
	message movekilled >m
	run=$(kill_at "$RENAME" 1)
	lda <m
	run=
fi
# A pending record that was elsewhere counts as a day old, since its Maildir may not be the same.
records_of() { "$BUILD/dedupdb" -l "$1" export | grep '"fingerprint"' | sed '/"state":"pending"/s/"decided":[0-9]*,//' | sort; }
records_of "$ledger" >bdb.jsonl
"$BUILD/dedupdb" -l "$ledger" export >dump
ledger=redis://$at/0
db 0 'restore into Redis' restore <dump
records_of "$ledger" >redis.jsonl
is "$(diff redis.jsonl bdb.jsonl)" '' 'the same records, byte by byte'
deliver duplicate 'a message that Berkeley DB knew' move1
if can_trace; then
	deliver helped 'one that was pending there' movekilled
	is "$(arrived movekilled)" 1 'once'
fi
"$BUILD/dedupdb" -l "$ledger" export >dump
records_of "$ledger" >redis.jsonl
ledger=bdb:$D/L2
db 0 'restore into Berkeley DB' restore <dump
records_of "$ledger" >bdb.jsonl
is "$(diff bdb.jsonl redis.jsonl)" '' 'and back'
deliver duplicate 'a message that Redis knew' move20

# Other mailboxes.
ledger=redis://$at/0
mailbox=mbox:$D/box
deliver delivered 'mbox' box1
deliver duplicate 'mbox: its copy' box1
is "$(grep -c '^From ' box)" 1 'mbox: one entry'
printf '%s\n' '#!/bin/sh' "sleep 0.3; cat >/dev/null; echo run >>$D/runs" >cmd
chmod 755 cmd
mailbox=pipe:$D/cmd
deliver delivered 'a command' piped1
deliver duplicate 'a command: its copy' piped1
is "$(lines runs)" 1 'it ran once'
message piped2 >m
for host in "$here_is" "$there_is" "$here_is" "$there_is"; do
	# shellcheck disable=SC2086
	"$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" $host <m >"out.$host" 2>&1 &
	pids="${pids:-} $!"
done
for pid in $pids; do wait "$pid"; done
lda <m
is "$(lines runs)" 2 'four copies at two hosts at the same time: it ran once'
mailbox=maildir:$D/M

# What a test starts ends with it, however that ends.
cat >begun <<-SCRIPT
	. "$here/tap.sh"
	here=$here
	. "$here/redis.sh"
	need_redis x
	server x
	proxy x
	pid x >$D/begun.x
	pid proxy >$D/begun.proxy
	while :; do sleep 0.1; done
SCRIPT
gone() { ! kill -0 "$1" 2>/dev/null; }
for signal in TERM INT KILL; do
	rm -f begun.x begun.proxy
	# What runs in the background ignores INT, unless somebody says otherwise.
	python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' sh begun >begun.out 2>&1 &
	begun=$!
	ok 'a script with servers has begun' wait_for test -s begun.proxy || diag "$(cat begun.out)"
	kill -$signal $begun
	wait $begun 2>/dev/null
	ok "its server is gone after SIG$signal" wait_for gone "$(cat begun.x)"
	ok "and its proxy" wait_for gone "$(cat begun.proxy)"
done

# The plain agent knows nothing of Redis: another program does.
ok 'the agent alone has no library for it' not grep -aq 'redisReader' "$BUILD/dedup-lda"
mkdir alone
cp "$BUILD/dedup-lda" "$BUILD/dedup-lda-nss" alone/
message alone >m
BUILD=$D/alone exits 75 'without dedup-lda-redis' -o on-ledger-failure=defer <m
plan
