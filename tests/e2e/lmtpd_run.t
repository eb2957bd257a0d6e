#!/bin/sh
# The LMTP server's processes: what becomes of mail and of other connections when one of them is stopped, reloaded, stalled or killed.
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/lmtp.sh
. "$here/lmtp.sh"

workers() { pgrep -P "$server" | wc -l | tr -d ' '; }
gone() { ! kill -0 "$1" 2>/dev/null; }
all_gone() { for p in $old; do gone "$p" || return 1; done; }
hold() {	# hold N WHERE: that many sessions, until `let_go`
	rm -f holder.in
	mkfifo holder.in
	python3 "$talk" stall "$D/s" "$1" "$2" <holder.in >holder.out &
	holder=$!
	exec 9>holder.in
	wait_for grep -q ready holder.out
}
let_go() {
	exec 9>&-
	wait "$holder"
}
# slowly ID: $client is in the middle of that message, and sends no QUIT: when it comes in one piece with the end of the message, it is answered
slowly() {
	rm -f replies
	letter slow@example.org "$1" | sed '$d; s/$/\r/' | python3 "$talk" slow "$D/s" 12 0.1 >replies &
	client=$!
	wait_for grep -q 354 replies
}
busy() { sed -n 's/^dedup_lmtpd_workers{state="busy"} //p' stats; }
is_busy() { [ "$(busy)" = "$1" ]; }

# Workers come and go.
serve -w 20 -o "lmtp-stats=$D/stats"
a_few() { [ "$(workers)" -ge 4 ] && [ "$(workers)" -le 6 ]; }
ok 'a few wait' wait_for a_few || diag "$(workers)"
hold 18 lhlo
ok '18 sessions are served at once' wait_for is_busy 18
all() { [ "$(workers)" = 20 ]; }
ok 'by 20 workers' wait_for all || diag "$(workers)"
letter a@example.org w1 | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'the last ones serve the others'
let_go
few() { [ "$(workers)" -le 12 ]; }
ok 'afterwards most of them end' wait_for few || diag "$(workers)"
ok 'and never were there more than -w' test "$(grep -c started log)" -eq 1

# Killed.
hold 1 data
victim=$(pgrep -P "$server" | head -n 1)
# shellcheck disable=SC2046 # all of them, with the one that is in the middle of a message
kill -9 $(pgrep -P "$server")
let_go
ok 'the master takes their ends' wait_for gone "$victim"
letter a@example.org w2 | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'all workers killed: new ones serve'
matches "$(cat log)" 'notice="worker [0-9]+ ended with signal 9"' 'the log says so'
ok 'half a message is none' not test -e vmail/stalled@example.org
ln log log.copy
# shellcheck disable=SC2046 # all of them
kill -9 $(pgrep -P "$server")
sleep 2.5
rm log.copy
letter a@example.org w3 | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'no worker could start, for longer than a second; then they serve again' || diag "$(tail -n 3 log)"

# Stop.
rm replies
echo LHLO here.example | talk &
client=$!
wait_for grep -q '^250 ' replies
kill "$server"
wait "$client"
matches "$(codes)" '421 4.3.2$' 'a stop does not wait for a client without a message' || diag "$(cat replies)"
wait "$server"
is $? 0 'exit 0'
server=
serve
slowly s1
kill "$server"
wait "$client"
matches "$(codes)" '354 250 2.0.0 421 4.3.2$' 'a message that is coming is delivered, then 421' || diag "$(cat replies)"
is "$(box slow@example.org)" 1 'and is there'
wait_for gone "$server"
server=
ok 'nobody listens any more' not python3 "$talk" ready "$D/s" 2>err

# A stop as soon as it listens, before its workers are ready.
for i in 1 2 3 4 5 6 7 8 9 10; do
	rm -f s server.err
	"$BUILD/dedup-lmtpd" -F -l "unix:$D/s" -o "mailbox=maildir:$D/vmail/%u" -o ledger=none -o log=stderr 2>server.err &
	server=$!
	ok "at once, $i: it starts" wait_for grep -q started server.err
	kill "$server"
	ok "at once, $i: it stops" wait_for gone "$server" || kill -9 "$server"
done
server=

# Reload.
printf 'mailbox = "maildir:%s/vmail/%%u"\nledger = "bdb:%s/L/%%d"\nlog = "file:%s/log"\nlmtp-max-recipients = 1\n' "$D" "$D" "$D" >conf
reload_server() {
	stop_server
	: >log
	"$BUILD/dedup-lmtpd" -F -l "unix:$D/s" -c "$D/conf" 2>server.err &
	server=$!
	wait_for python3 "$talk" ready "$D/s"
}
two() { printf 'LHLO x\nMAIL FROM:<>\nRCPT TO:<a@example.org>\nRCPT TO:<b@example.org>\nQUIT\n' | talk && codes; }
reload_server
matches "$(two)" '250 2.1.5 452 4.5.3 221' 'a limit of 1'
sed -i 's/^lmtp-max-recipients.*/lmtp-max-recipients = 2/' conf
reloaded() { [ "$(grep -c 'notice=reloaded' log)" = "$1" ]; }
# reload N: for the N-th time, and whoever has the old configuration is gone: a client that comes to a worker which is to end is sent away
reload() {
	old=$(pgrep -P "$server")
	kill -HUP "$server"
	wait_for reloaded "$1" && wait_for all_gone
}
ok 'SIGHUP: reloaded' reload 1
matches "$(two)" '250 2.1.5 250 2.1.5 221' 'a limit of 2'
echo 'lmtp-max-recipients = many' >>conf
kill -HUP "$server"
ok 'a broken configuration is refused' wait_for grep -q 'not reloaded, the old configuration stays: .*conf:5: lmtp-max-recipients' log
matches "$(two)" '250 2.1.5 250 2.1.5 221' 'the old one stays'
hold 1 lhlo
sed -i '$d' conf
reload 2
let_go
letter a@example.org r1 | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'and it goes on'
slowly s2
kill -HUP "$server"
wait "$client"
matches "$(codes)" '354 250 2.0.0 421 4.3.2$' 'a reload in the middle of a message: it is delivered' || diag "$(cat replies)"

# The master is killed.
hold 1 lhlo
old=$(pgrep -P "$server")
kill -9 "$server"
server=
ok 'a master that is killed: its workers end' wait_for all_gone
let_go
ok 'the socket is left over' test -S s
reload_server
letter a@example.org m1 | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'a new one takes its place'
timeout 60 "$BUILD/dedup-lmtpd" -F -l "unix:$D/s" -c "$D/conf" 2>err
is $? 75 'a second one does not'
matches "$(cat err)" 'a server is there already' 'it says why'
letter a@example.org m2 | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'the first one goes on'
slowly s3
old=$(pgrep -P "$server")
kill -9 "$server"
wait "$client"
server=
matches "$(codes)" '354 250 2.0.0 421 4.3.2$' 'killed in the middle of a message: it is delivered all the same' || diag "$(cat replies)"
is "$(box slow@example.org)" 3 'and is there'
ok 'then the worker ends' wait_for all_gone

# A crowd.
serve
is "$(python3 "$talk" crowd "$D/s" 8 5 2>err)" 40 '8 connections, 5 messages each: all delivered'
is "$(find vmail -path '*/box*/new/*' | wc -l)" 40 'and they are there'
half=250
# shellcheck disable=SC3045 # every sh has it
limit=$(ulimit -n)
# shellcheck disable=SC3045
[ "$limit" -ge 700 ] || ulimit -n 700 2>err || half=$((limit / 4))
serve -w 600
hold $half data
is "$(python3 "$talk" crowd "$D/s" $half 1 2>err)" $half "$((2 * half)) connections, half of them stalled: the others are served"
let_go
serve -w 5
hold 5 lhlo
letter a@example.org p1 | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'all workers are held by clients that say nothing: patience ends, and the next one is served'
let_go

# To the background.
stop_server
: >log
"$BUILD/dedup-lmtpd" -l "unix:$D/s" -c "$D/conf" -p "$D/pid" >out 2>err
is $? 0 'without -F the command ends'
ok 'when the server accepts connections' python3 "$talk" ready "$D/s"
is "$(cat out err)" '' 'it says nothing'
pid=$(cat pid)
server=$pid
held() { for p in $(pgrep -P "$pid"); do find "/proc/$p/fd" -lname "$D/$1"; done; }
let_pid_go() { [ -z "$(held pid)" ]; }
ok 'no worker can write to its pid file' wait_for let_pid_go
is "$(held out) $(held err)" ' ' 'or keeps what the command wrote to: who reads that sees its end'
"$BUILD/dedup-lmtpd" -l "unix:$D/t" -c "$D/conf" -p "$D/pid" 2>err
is $? 75 'its pid file is taken'
echo something >precious
ln precious linked
"$BUILD/dedup-lmtpd" -F -l "unix:$D/t" -c "$D/conf" -p "$D/linked" 2>err
is "$? $(cat precious)" '75 something' 'a file with two names is no pid file' || diag "$(cat err)"
for option in -c -p; do
	"$BUILD/dedup-lmtpd" -F -l "unix:$D/t" "$option" conf 2>err
	is $? 64 "$option with a relative path: exit 64"
	matches "$(cat err)" "^dedup-lmtpd: $option conf: the path must be absolute$" 'it says so'
done
ok 'it lives in the background, and reloads' reload 1
letter a@example.org bg | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'and delivers'
kill "$pid"
ok 'and stops' wait_for gone "$pid"
server=
echo 'window = x' >>conf
"$BUILD/dedup-lmtpd" -l "unix:$D/s" -c "$D/conf" >out 2>err
is $? 78 'a broken configuration: exit 78'
matches "$(cat err)" 'dedup-lmtpd: .*conf:5: window' 'it says where'
sed -i '$d' conf

# Started by systemd.
cat >activate.py <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(10)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
END
cat >notified.py <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
END
rm -f s
python3 notified.py "$D/notify" >notes &
listener=$!
wait_for grep -q bound notes
NOTIFY_SOCKET=$D/notify python3 activate.py "$D/s" "$BUILD/dedup-lmtpd" -F -c "$D/conf" 2>server.err &
server=$!
ok 'a socket that is passed' wait_for python3 "$talk" ready "$D/s" || diag "$(cat server.err)"
letter a@example.org sd | talk
matches "$(codes)" '250 2.0.0 221 2.0.0$' 'is served'
ok 'READY=1' wait_for grep -q '^READY=1' notes
kill -HUP "$server"
ok 'RELOADING=1' wait_for grep -q '^RELOADING=1' notes
ready_again() { [ "$(grep -c '^READY=1' notes)" = 2 ]; }
ok 'and READY=1 again' wait_for ready_again
stop_server
ok 'STOPPING=1' wait_for grep -q '^STOPPING=1' notes
ok 'STATUS' grep -q '^STATUS=.* workers' notes
ok 'a socket that was passed stays' test -S s
kill $listener

# Held up where no handler of signals runs, as a file system that hangs does it: its place is not gone for good.
serve -w 1 -o "mailbox=pipe:sleep 60" -o time-limit=2s
letter a@example.org held | talk &
client=$!
at_work() { victim=$(pgrep -P "$server") && [ "$(pgrep -P "$victim")" ]; }
ok 'a worker has begun to deliver' wait_for at_work
kill -STOP "$victim"
ok 'it stands still for longer than time-limit: it is killed' wait_for gone "$victim"
wait "$client"
another() { [ "$(pgrep -P "$server")" ]; }
ok 'another one is there' wait_for another
plan
