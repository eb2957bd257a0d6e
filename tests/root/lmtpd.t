#!/bin/sh
# The LMTP server, started by root: users of this system, each of whom gets mail as that user, and virtual users with -u.
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"
here=$here/../e2e
# shellcheck source=tests/e2e/lmtp.sh
. "$here/lmtp.sh"
trap stop_server EXIT

start() {	# start OPTION...
	stop_server
	: >"$D/server.err"
	"$BUILD/dedup-lmtpd" -F -l "unix:$D/s" "$@" 2>"$D/server.err" &
	server=$!
	wait_for python3 "$talk" ready "$D/s" || diag "$(cat "$D/server.err")"
}
to() {	# to ID ADDRESS...: one message; replies to RCPT and to the text are in `codes`
	id=$1
	shift
	{ printf 'LHLO here.example\nMAIL FROM:<sender@example.net>\n'
	printf 'RCPT TO:<%s>\n' "$@"
	printf 'DATA\nMessage-ID: <%s@example.net>\nDate: today\nX-Kind: %s\n\nText.\n.\nQUIT\n' "$id" "$id"; } | talk
}
mails() { find "/home/$1/Maildir/new" -type f 2>/dev/null | wc -l; }

homes
start
to 1 joe@example.org Ann+work@example.org joe+x@other.example
is "$(codes)" '220 250 250 2.1.0 250 2.1.5 250 2.1.5 250 2.1.5 354 250 2.0.0 250 2.0.0 250 2.0.0 221 2.0.0' 'three recipients' || diag "$(cat replies)"
is "$(sed -n 's/^250 2.0.0 .*: //p' replies | tr '\n' ' ')" 'delivered delivered duplicate ' 'two users'
is "$(mails joe) $(mails ann)" '1 1' 'each has it once'
is "$(find /home/joe -mindepth 1 ! -user joe; find /home/joe -mindepth 1 ! -group joe)" '' "all of joe's belongs to joe"
is "$(find /home/ann -mindepth 1 ! -user ann)" '' "and ann's to ann"
ok 'the ledger is in the home' test -d /home/joe/.dedup-lda
matches "$(cat /home/ann/Maildir/new/*)" '^Delivered-To: Ann\+work@example\.org$' 'the address as it came'
to 1 joe@example.org
matches "$(cat replies)" '^250 2.0.0 .*: duplicate$' 'again: a duplicate'
printf 'Message-ID: <1@example.net>\nDate: today\nX-Kind: 1\n\nText.\n' >piped
for_user joe -o "log=file:/home/joe/log" <piped
is "$rc $(mails joe)" '0 1' 'and the agent says so, too'

# A reload looks a user up, and the ends of the old workers are noticed all the same.
old=$(pgrep -P "$server")
kill -HUP "$server"
all_gone() { for p in $old; do ! kill -0 "$p" 2>err || return 1; done; }
patience=20
ok 'SIGHUP: the workers end' wait_for all_gone
patience=120
to 1 joe@example.org
matches "$(cat replies)" '^250 2.0.0 .*: duplicate$' 'and others serve'

# Who is nobody.
to 2 bob@example.org root@example.org toor@example.org wanda@example.org joe@example.org
is "$(codes)" '220 250 250 2.1.0 450 4.1.1 250 2.1.5 250 2.1.5 250 2.1.5 250 2.1.5 354 451 4.3.0 451 4.3.0 451 4.3.0 250 2.0.0 221 2.0.0' \
	'an unknown user, root, another name of it, a missing home; then joe' || diag "$(cat replies)"
ok 'nothing is made for wanda' not test -e /home/gone
is "$(find /home/root -mindepth 1)" '' 'nothing is delivered to root'
start -o unknown-user=reject
to 3 bob@example.org -joe@example.org joe@example.org
is "$(codes)" '220 250 250 2.1.0 550 5.1.1 550 5.1.1 250 2.1.5 354 250 2.0.0 221 2.0.0' 'unknown-user = reject' || diag "$(cat replies)"
start

# The user's own configuration.
conf() {	# conf USER <file
	cat >"/home/$1/.dedup-lda.conf"
	chown "$1:$1" "/home/$1/.dedup-lda.conf"
}
printf 'mailbox = mbox:~/box\nbody = simple\nfingerprint-headers = {x-kind}\nlog = file:~/log\nadd-headers = {}\n' | conf joe
to 4 joe@example.org ann@example.org joe@example.org
is "$(sed -n 's/^250 2.0.0 .*: //p' replies | tr '\n' ' ')" 'delivered delivered duplicate ' "joe's configuration counts for joe" || diag "$(cat replies)"
is "$(grep -c '^From ' /home/joe/box) $(stat -c %U /home/joe/box /home/joe/log | tr '\n' ' ')" '1 joe joe ' 'mbox and log'
fp=$(sed -n 's/.*action=delivered .* fp=\([0-9a-f]*\).*/\1/p' /home/joe/log)
printf 'Message-ID: <4@example.net>\nDate: today\nX-Kind: 4\n\nText.\n' >/home/joe/letter
as joe "$BUILD/dedupdb" show /home/joe/letter >shown
ok 'the fingerprint is the one of this configuration' grep -q "^fingerprint *$fp" shown || diag "$fp" "$(cat shown)"
echo 'mailbox = maildir:/home/ann/Maildir' | conf joe
to 5 joe@example.org ann@example.org
matches "$(codes)" '354 451 4.3.0 250 2.0.0 221 2.0.0$' "joe can't reach ann's mailbox"
is "$(find /home/ann/Maildir -type f ! -user ann)" '' 'nothing of joe is there'
echo 'window = x' | conf joe
to 5 joe@example.org ann@example.org
matches "$(codes)" '354 451 4.3.0 250 2.0.0 221 2.0.0$' 'a broken configuration defers'
matches "$(grep 451 replies)" 'dedup-lda.conf:1: window' 'the reply says where'
rm /home/joe/.dedup-lda.conf
to 5 joe@example.org
matches "$(cat replies)" '^250 2.0.0 .*: delivered$' 'repaired: delivered'

# A child that is killed.
printf 'mailbox = mbox:~/box\nmbox-locks = {fcntl}\n' | conf joe
python3 -c 'import fcntl, time; f = open("/home/joe/box", "r+"); fcntl.lockf(f, fcntl.LOCK_EX); print("locked", flush=True); time.sleep(60)' >lock.out &
locker=$!
wait_for grep -q locked lock.out
to 6 joe@example.org ann@example.org &
client=$!
joes() { pgrep -u joe -x dedup-lmtpd >pids; }
ok "joe's delivery waits for a lock" wait_for joes
is "$(grep ^Uid "/proc/$(head -n 1 pids)/status" | tr -s '\t' ' ')" 'Uid: 60001 60001 60001 60001' 'in a process that is joe for good'
is "$(grep ^Groups "/proc/$(head -n 1 pids)/status" | tr -s '\t' ' ' | sed 's/ $//')" 'Groups: 60001 60100' 'with all groups of joe'
is "$(find "/proc/$(head -n 1 pids)/fd" -lname 'socket:*' | wc -l)" 0 'and without a socket of the server'
modes() { for f in /proc/"$1"/fd/*; do [ "$(stat -L -c %U "$f")" != nobody ] || sed -n 's/^flags:.*\(.\)$/\1/p' "/proc/$1/fdinfo/${f##*/}"; done; }
is "$(modes "$(head -n 1 pids)")" 0 'that can only read the file from which ann gets the message, too'
pkill -HUP -u joe -x dedup-lmtpd
ended() { ! joes; }
patience=1
ok 'a reload that is sent to all does not end it' not wait_for ended
patience=120
pkill -9 -u joe -x dedup-lmtpd
wait $client
matches "$(codes)" '354 451 4.3.0 250 2.0.0 221 2.0.0$' 'killed: 451, and the next recipient has it' || diag "$(cat replies)"
to 6 joe@example.org ann@example.org &
client=$!
wait_for joes
as joe kill -STOP "$(cat pids)"
ok 'joe stops it: it is ended' wait_for ended
kill -CONT "$(cat pids)" 2>err
wait $client
matches "$(codes)" '354 451 4.3.0 250 2.0.0 221 2.0.0$' 'and the next recipient is served' || diag "$(cat replies)"
printf 'mailbox = mbox:~/box\nmbox-locks = {fcntl}\nlock-timeout = 1h\ntime-limit = 1h\n' | conf joe
echo 'time-limit = 2s' >/etc/dedup-lda.conf
start
to 6 joe@example.org ann@example.org &
client=$!
served() { grep -q ^221 replies; }
ok "joe's time-limit of an hour holds a worker for as long as the system's says" wait_for served || pkill -9 -u joe -x dedup-lmtpd
wait $client
matches "$(codes)" '354 451 4.3.0 250 2.0.0 221 2.0.0$' 'and the next recipient is served' || diag "$(cat replies)"
rm /etc/dedup-lda.conf
start
kill $locker
to 6 joe@example.org ann@example.org
is "$(sed -n 's/^250 2.0.0 .*: //p' replies | tr '\n' ' ')" 'delivered duplicate ' 'again: delivered, a duplicate'
rm /home/joe/.dedup-lda.conf

# A large message on a slow disk takes its time, which is as long as the user's configuration says.
if can_trace; then
	echo 'time-limit = 1s' | conf joe
	stop_server
	strace -D -f -o trace.out -e trace=pread64 -e inject=pread64:delay_enter=3000000:when=1 "$BUILD/dedup-lmtpd" -F -l "unix:$D/s" 2>server.err &
	server=$!
	wait_for python3 "$talk" ready "$D/s"
	to slow joe@example.org ann@example.org
	matches "$(codes)" '354 451 4.3.0 250 2.0.0 221 2.0.0$' 'time-limit counts while the message is read' || diag "$(cat replies)" "$(cat trace.out)"
	rm /home/joe/.dedup-lda.conf
	stop_server
	strace -D -f -o trace.out -e "trace=$RENAME,kill" -e "inject=$RENAME:delay_enter=300000000" "$BUILD/dedup-lmtpd" -F -l "unix:$D/s" -o time-limit=1s \
		2>server.err &
	server=$!
	wait_for python3 "$talk" ready "$D/s"
	to hung joe@example.org &
	client=$!
	ok 'a delivery hangs, and is deaf to its time-limit' wait_for joes
	# strace, which delays it, delays its end as well.
	killed() { grep -q 'kill(.*SIGKILL)' trace.out; }
	ok 'after a minute its monitor kills it' wait_for killed
	pkill -9 -x strace
	wait $client
else
	skip 'time-limit counts while the message is read' 'strace can not trace here'
fi

# Who talks to clients is nobody in particular, and has a monitor that may become others.
stop_server
"$BUILD/dedup-lmtpd" -F -l "unix:$D/s" -o lmtp-user=bob 2>err
is "$?: $(grep -c 'lmtp-user bob: ' err)" '78: 1' 'lmtp-user has to be there' || diag "$(cat err)"
timeout 20 "$BUILD/dedup-lmtpd" -F -l "unix:$D/s" -o lmtp-user=toor 2>err
is "$?: $(grep -c 'lmtp-user toor: is root' err)" '78: 1' 'and must not be root' || diag "$(cat err)"
credentials() { grep -hE '^(Uid|Gid|Groups|CapEff|CapPrm)' "/proc/$1/status" | tr -s '\t ' ' ' | sed 's/ $//' | sort; }
of_workers() { for p in $(pgrep -P $server); do credentials "$p"; done | sort -u; }
monitors() { for p in $(pgrep -P $server); do pgrep -P "$p"; done; }
settled() { [ "$(monitors | wc -l)" -ge 4 ] && ! of_workers | grep -q '^Uid: 0'; }
start -o lmtp-user=mia
ok 'workers have become mia' wait_for settled
is "$(of_workers)" 'CapEff: 0000000000000000
CapPrm: 0000000000000000
Gid: 60003 60003 60003 60003
Groups: 8 60003
Uid: 60003 60003 60003 60003' 'for good, and with her groups'
start
wait_for settled
nobody=$(id -u nobody)
is "$(of_workers | grep Uid)" "Uid: $nobody $nobody $nobody $nobody" 'without lmtp-user, and without a user dedup-lda: nobody'
is "$(for p in $(monitors); do credentials "$p" | grep Uid; find "/proc/$p/fd" -lname 'socket:*' | wc -l; done | sort -u | tr '\n' ' ')" \
	'1 Uid: 0 0 0 0 ' 'each has a monitor, which has the socket to it and no other'
{ printf 'LHLO here.example\nMAIL FROM:<sender@example.net>\nRCPT TO:<joe@example.org>\nRCPT TO:<ann@example.org>\nDATA\n'
printf 'Message-ID: <large@example.net>\nDate: today\n\n' && yes 'a line of a large message' | head -n 40000 && printf '.\nQUIT\n'; } | talk
is "$(sed -n 's/^250 2.0.0 .*: //p' replies | tr '\n' ' ')" 'delivered delivered ' 'a large message for two users' || diag "$(cat replies)"
for who in joe ann; do
	find /home/$who -type f -path '*/new/*' -exec grep -l '^Message-ID: <large@' {} + >name
	is "$(sed '1,/^$/d' "$(cat name)" | cksum)" "$(yes 'a line of a large message' | head -n 40000 | cksum)" "its bytes are whole, $who"
done
# shellcheck disable=SC2046 # several
kill -9 $(monitors)
to 9 joe@example.org
matches "$(cat replies)" '^451 4\.3\.0 the user could not be looked up' 'a monitor is killed: try again'
again() { to 9 joe@example.org && grep -q '^250 2.0.0 .*: delivered' replies; }
ok 'other workers have taken over' wait_for again

# A worker that was taken over.
start -o lmtp-max-size=1000
wait_for settled
rogue() { "$here/../root/rogue_worker" "$(pgrep -P $server | head -n 1)" joe "$1" 2>&1; }
printf 'Message-ID: <rogue@example.net>\nDate: today\n\n' >small
{ cat small; yes 'a line' | head -n 200; } >large
matches "$(rogue large)" '^the message is larger than lmtp-max-size$' 'its monitor delivers nothing that is larger than lmtp-max-size'
is "$(rogue small)" delivered 'what any client may send is delivered'

# Who talks to clients does not hold what the users' processes read.
memory() {	# memory PID: what it has written to
	sed -n 's/^\([0-9a-f]*\)-\([0-9a-f]*\) rw.*/\1 \2/p' "/proc/$1/maps" | while read -r from to; do
		dd if="/proc/$1/mem" bs=4096 skip=$((0x$from / 4096)) count=$(((0x$to - 0x$from) / 4096)) 2>/dev/null
	done
}
echo 'most-s3cret-of-all' >"$D/password"
chmod 640 "$D/password"
start -o "ledger=redis+unix:///nowhere/s" -o "ledger-password-file=$D/password"
for p in $server $(pgrep -P $server) $(monitors); do
	memory "$p" >image
	[ -s image ] || echo "no memory of $p"
	! grep -qa "most-s3cret-of-all" image || echo "$p knows the password"
done >knowing
is "$(cat knowing)" '' 'no process of the server itself keeps the password of the ledger'
rm -f memory
start

# With no more rights than the unit has.
stop_server
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$here/../../examples/lmtp/users.conf" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
bounded() {	# bounded CAPABILITIES
	stop_server
	setpriv --bounding-set "-all,$1" --inh-caps=-all --no-new-privs "$BUILD/dedup-lmtpd" -F -l "unix:$D/s" 2>"$D/server.err" &
	server=$!
}
bounded "$caps"
wait_for python3 "$talk" ready "$D/s"
to 10 joe@example.org ann@example.org
is "$(sed -n 's/^250 2.0.0 .*: //p' replies | tr '\n' ' ')" 'delivered delivered ' 'the capabilities of the unit are enough' || diag "$(cat replies)"
workers=$(pgrep -P $server | wc -l)
kill $server
wait $server
is "$? $((workers > 0))" '0 1' 'and it can be stopped'
none_left() { ! pgrep -x dedup-lmtpd >pids; }
ok 'monitors end with their workers' wait_for none_left
server=
bounded "$(echo "$caps" | sed 's/+setuid,//')"
ok 'without one of them no worker serves' wait_for grep -q '^4\.3\.0 .*user' server.err || diag "$(cat server.err)"

# One user for all mail.
install -d -o mia -g mia -m 700 "$D/vmail" "$D/L"
mkdir -m 755 "$D/run"
stop_server
"$BUILD/dedup-lmtpd" -F -u mia -l "unix:$D/run/s" -o "mailbox=maildir:$D/vmail/%n" -o "ledger=bdb:$D/L/%d" -o "log=file:$D/vmail/log" 2>server.err &
server=$!
rm -f s
ln -s run/s s
ok '-u: a socket where the user could make none' wait_for python3 "$talk" ready "$D/s" || diag "$(cat server.err)"
to 7 new@example.org
matches "$(cat replies)" '^250 2.0.0 .*: delivered$' 'a virtual recipient' || diag "$(cat replies)"
is "$(find "$D/vmail" "$D/L" ! -user mia)" '' "all is the user's"
uids=$(for p in $server $(pgrep -P $server); do grep -E '^(Uid|Gid|Groups|CapEff|CapPrm)' "/proc/$p/status"; done | tr -s '\t ' ' ' | sort -u)
is "$uids" 'CapEff: 0000000000000000
CapPrm: 0000000000000000
Gid: 60003 60003 60003 60003
Groups: 8 60003 
Uid: 60003 60003 60003 60003' 'no process has anything left of root'
before=$(mails joe)
to 8 joe@example.org
is "$(mails joe)" "$before" 'joe of this system is nobody special there'
stop_server
"$BUILD/dedup-lmtpd" -F -u root -l "unix:$D/run/s" 2>err
is $? 75 '-u root is refused'
plan
