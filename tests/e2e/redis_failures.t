#!/bin/sh
# What the failures of a ledger in Redis do: with on-ledger-failure = deliver one copy comes, and the log says why it came without the
# ledger; with defer the message waits, and comes once when the engine is well again.
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/redis.sh
. "$here/redis.sh"
need_redis 'a ledger in Redis that fails'
mkdir M

number=0
next() { number=$((number + 1)); message "$number" >m; }	# a message that nobody has seen yet
unpublished() { find M/tmp -type f ! -name '*,*' | wc -l | tr -d ' '; }	# staged messages, without what lies beside them
arrived() { grep -rl "^Message-ID: <$1@" M/new M/cur | wc -l | tr -d ' '; }	# how often
server one
url=redis://127.0.0.1:$(port one)/0
ledger=$url
O='-o ledger-timeout=1s'	# for every delivery

# fails NAME REASON [OPTION...]: now, in both ways, at the same time, since many failures take theirs; what waits is kept as m.waiting
fails() {
	fault=$1 why=$2
	shift 2
	next
	waiting=waiting$number
	message "$waiting" >m.waiting
	# shellcheck disable=SC2086 # two words
	"$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log.waiting" $O -o on-ledger-failure=defer "$@" \
	    <m.waiting >out.waiting 2>err.waiting &
	waits=$!
	# shellcheck disable=SC2086
	lda -v $O "$@" <m
	wait $waits
	is "$?" 75 "$fault, defer: exit 75"
	matches "$(head -n 1 err.waiting)" "^4\.3\.0 .*($why)" "$fault, defer: the first line says why"
	is "$(arrived "$waiting")" 0 "$fault, defer: nothing arrives"
	is "$rc $(arrived $number)" '0 1' "$fault, deliver: delivered without it" || diag "$(cat err)"
	says "^action=delivered .* ledger=\".*($why)" "$fault, deliver: the log says why"
}
# well NAME [OPTION]...: what waited comes once, and is known
well() {
	fault=$1
	shift
	: >log
	# shellcheck disable=SC2086
	exits 0 "$fault, afterwards" $O -o on-ledger-failure=defer "$@" <m.waiting
	is "$(count 'action=(delivered|helped)' log) $(count ' ledger=' log)" '1 0' "$fault, afterwards: with the ledger"
	# shellcheck disable=SC2086
	does duplicate "$fault, afterwards: its copy" $O -o on-ledger-failure=defer "$@" <m.waiting
	is "$(arrived "$waiting")" 1 "$fault, afterwards: one copy"
}
breaks() {	# breaks NAME REASON [OPTION]...: both
	fails "$@"
	fault=$1
	shift 2
	well "$fault"
}

well_known() { message known >m.known && does "$1" "$2" -o on-ledger-failure=defer <m.known; }
well_known delivered 'a first message'

# Not there, and there without a word.
halt one
fails 'nobody listens' 'refused'
again one
well 'nobody listens'
hole
breaks 'it takes the connection and says nothing' 'time' -o "ledger=redis://127.0.0.1:$(port hole)/0"
stop_one() { kill "$(pid "$1")" && ended "$1"; }
stop_one hole
hole full
breaks 'it takes no connection' 'time' -o "ledger=redis://127.0.0.1:$(port hole)/0"
stop_one hole
breaks 'no such socket' 'No such file' -o "ledger=redis+unix://$D/none"
breaks 'no such name' 'nowhere.invalid' -o "ledger=redis://nowhere.invalid:6379/0"
listener web redis_web.py
breaks 'it is no Redis' 'none of a Redis server' -o "ledger=redis://127.0.0.1:$(port web)/0"
stop_one web

# Slow: in time, and not in time.
paused() { cli one client pause "$1" all >pause.out; }
next
paused 300
# shellcheck disable=SC2086
does delivered 'a slow server, in time' $O -o on-ledger-failure=defer <m
paused 2500
fails 'a server that is too slow' 'time'
cli one client unpause >pause.out 2>&1 || sleep 5
wait_for answers one
well 'a server that is too slow'
freeze one
fails 'a server that stands still' 'time'
thaw one
wait_for answers one
well 'a server that stands still'
proxy one
through=redis://127.0.0.1:$(port proxy)/0
ledger=$through
faults 'slow 0.1'
next
does delivered 'slow replies' -o ledger-timeout=5s -o on-ledger-failure=defer <m
faults 'slow 3'
fails 'replies that are too slow' 'time'
faults pass
well 'replies that are too slow'

# The reply to the decision is lost: it may have been made, or may still be.
for how in lose last; do
	for choice in deliver defer; do
		next
		faults "$how EVAL"
		# shellcheck disable=SC2086
		lda -v $O -o "on-ledger-failure=$choice" <m
		if [ "$rc" -eq 75 ]; then copies=0; else copies=1; fi
		is "$(arrived $number)" "$copies" "no reply to the decision ($how, $choice): exit $rc, copies $copies"
		faults pass
		if [ $how = last ]; then
			stop_one proxy
			proxy one
			ledger=redis://127.0.0.1:$(port proxy)/0
		fi
		lda -o on-ledger-failure=defer <m
		is "$rc $(arrived $number)" '0 1' "no reply to the decision ($how, $choice): one copy" || diag "$(cat err)"
		does duplicate "no reply to the decision ($how, $choice): its copy" -o on-ledger-failure=defer <m
		is "$(arrived $number) $(unpublished)" '1 0' "no reply to the decision ($how, $choice): one copy in the end"
	done
done
for choice in deliver defer; do
	next
	faults 'late EVAL 1.3'
	# shellcheck disable=SC2086
	lda -v $O -o "on-ledger-failure=$choice" <m
	first=$rc
	faults pass
	sleep 0.5
	lda -o on-ledger-failure=defer <m
	is "$rc $(arrived $number)" '0 1' "a decision that arrives late ($choice, exit $first): one copy" || diag "$(cat err)" "$(tail -n 4 log)"
	does duplicate "a decision that arrives late ($choice): its copy" -o on-ledger-failure=defer <m
done
ledger=$url

# A server that answers before its disk does has to wait for that. (WAITAOF is new in 7.2; the proxy plays such a server.)
ledger=redis://127.0.0.1:$(port proxy)/0
set_to() { cli one config set "$@" >config.out; }	# set_to NAME VALUE...
set_to appendfsync everysec
fails 'it does not sync each write, and is too old to wait' 'appendfsync always'
faults 'modern 1'
well 'it does not sync each write, and is too old to wait'
next
# shellcheck disable=SC2086
{
	does delivered 'a server that waits for its disk' $O -o on-ledger-failure=defer <m
	does duplicate 'a server that waits for its disk: a copy' $O -o on-ledger-failure=defer <m
	for choice in deliver defer; do
		next
		faults 'modern 0'
		lda -v $O -o "on-ledger-failure=$choice" <m
		says 'disk was not ready' "a disk that is too slow, $choice: the log says so"
		if [ "$rc" -eq 75 ]; then copies=0; else copies=1; fi
		is "$(arrived $number)" $copies "a disk that is too slow, $choice: exit $rc, copies $copies"
		faults 'modern 1'
		exits 0 "a disk that is too slow, $choice: and then not" $O -o on-ledger-failure=defer <m
		does duplicate "a disk that is too slow, $choice: a copy" $O -o on-ledger-failure=defer <m
		is "$(arrived $number) $(unpublished)" '1 0' "a disk that is too slow, $choice: one copy"
	done
}
set_to appendfsync always
faults pass

# What is between has forgotten a connection that was kept, and says nothing: another one is made in time.
# shellcheck source=tests/e2e/lmtp.sh
. "$here/lmtp.sh"
trap 'stop_server; stop_servers; cd / && chmod -R u+rwx "$D" && rm -rf "$D"' EXIT
serve -w 1 -o "ledger=$ledger" -o on-ledger-failure=defer -o ledger-timeout=6s
letter a@example.org kept | talk
: >log
sleep 11
faults forget
for id in kept forgotten; do letter a@example.org $id | talk; done
is "$(sed -n 's/.* action=\(d[a-z]*\).*/\1/p' log | tr '\n' ' ') $(box a@example.org)" 'duplicate delivered  2' 'a connection that was forgotten' || diag "$(cat log)"
faults pass
stop_server
ledger=$url

# A replica can't be written to; one that has lost its master may not even be read.
pair_of_one() { server two "replicaof 127.0.0.1 $(port one)" && wait_for follows two; }
pair_of_one
breaks 'a replica' 'replica|READONLY' -o "ledger=redis://127.0.0.1:$(port two)/0"
cli two config set replica-serve-stale-data no >config.out
halt one
fails 'a replica without a master' 'MASTERDOWN|master|replica' -o "ledger=redis://127.0.0.1:$(port two)/0"
again one
well 'a replica without a master'
halt two

# What a server may not be set to.
wrong() {	# wrong NAME REASON SETTING...: and what it has to be follows as --
	fault=$1 why=$2
	shift 2
	bad=
	while [ "$1" != -- ]; do bad="$bad $1"; shift; done
	shift
	# shellcheck disable=SC2086 # settings have no blanks
	set_to $bad
	fails "$fault" "$why"
	set_to "$@"
	well "$fault"
}
wrong 'it may evict' 'maxmemory-policy' maxmemory 100mb maxmemory-policy allkeys-lru -- maxmemory 0 maxmemory-policy noeviction
wrong 'it may evict what expires' 'maxmemory-policy' maxmemory 100mb maxmemory-policy volatile-ttl -- maxmemory 0 maxmemory-policy noeviction
wrong 'its memory is full' 'OOM|memory' maxmemory 1 -- maxmemory 0
wrong 'it does not sync each write' 'appendfsync' appendfsync everysec -- appendfsync always
wrong 'it syncs nothing while it rewrites its log' 'no-appendfsync-on-rewrite' no-appendfsync-on-rewrite yes -- no-appendfsync-on-rewrite no
wrong 'it keeps no log' 'appendonly' appendonly no -- appendonly yes
wait_for says_so one persistence 'aof_rewrite_in_progress:0'
breaks 'no such database' 'DB index|SELECT' -o "ledger=redis://127.0.0.1:$(port one)/99"

# Who may do what.
printf 'right\n' >password
printf 'wrong\n' >password.wrong
chmod 600 password password.wrong
cli one acl setuser agent on '>right' '~dedup-lda:*' +@all >acl.out
as=redis://agent@127.0.0.1:$(port one)/0
ledger=$as
O="$O -o ledger-password-file=$D/password"
next
# shellcheck disable=SC2086
does delivered 'a user with a password' $O -o on-ledger-failure=defer <m
breaks 'a wrong password' 'WRONGPASS|password' -o "ledger-password-file=$D/password.wrong"
breaks 'no such user' 'WRONGPASS|password' -o "ledger=redis://nobody@127.0.0.1:$(port one)/0"
# What is wrong with the file is wrong with the configuration: the message waits in either case.
next
# shellcheck disable=SC2086
{
	defers 'password.none' 'no file with a password' $O -o "ledger-password-file=$D/password.none" <m
	chmod 644 password
	defers 'everybody can read the password' 'a password that others can read' $O <m
	chmod 600 password
	: >empty
	chmod 600 empty
	defers 'empty' 'an empty password' $O -o "ledger-password-file=$D/empty" <m
	does delivered 'the right file' $O <m
	is "$(arrived $number)" 1 'one copy'
}
cli one config set requirepass other >acl.out
fails 'no password' 'NOAUTH|password|uthentication' -o "ledger=$url" -o 'ledger-password-file='
redis-cli -p "$(port one)" -a other config set requirepass '' >acl.out 2>&1
well 'no password'
denied() {	# denied NAME RIGHTS...
	fault="may not $1"
	shift
	cli one acl setuser agent "$@" >acl.out
	fails "$fault" "NOPERM|can't run this command|allow CONFIG GET"
	cli one acl setuser agent resetkeys '~dedup-lda:*' +@all >acl.out
	well "$fault"
}
denied 'use these keys' resetkeys '~other:*'
denied 'run scripts' -@scripting
denied 'ask for settings' '-config|get'
denied 'write' -@write
cli one acl setuser agent off >acl.out
fails 'a user who is switched off' 'WRONGPASS|disabled|password'
cli one acl setuser agent on >acl.out
well 'a user who is switched off'

# It has just started and reads its log: waited for, up to the time limit.
ledger=$url
O='-o ledger-timeout=1s'
# It hears nobody but once in 1024 commands of it.
seq -f 'set filler:%.0f x' 2100 | cli one >filler.out
loading() {	# loading MICROSECONDS: a key takes so long
	halt one
	sed -i '/^key-load-delay/d' "$R/one/conf"
	echo "key-load-delay $1" >>"$R/one/conf"
	setpriv --pdeathsig KILL redis-server "$R/one/conf" >>"$R/one/out" 2>&1 &
	echo $! >"$R/one/pid"
	wait_for reads_log
}
reads_log() { cli one ping 2>&1 | grep -q LOADING; }
loading 200
next
does delivered 'it reads its log, and is soon ready' -o ledger-timeout=10s -o on-ledger-failure=defer <m
loading 1000
fails 'it reads its log' 'has only just been started|no answer in time'
wait_for answers one
well 'it reads its log'
well_known duplicate 'after all that, the first message'
plan
