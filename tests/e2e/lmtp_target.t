#!/bin/sh
# mailbox = lmtp: what a server gets, byte by byte, what each of its answers leads to, and that it gets each message once.
server=$PWD/tests/e2e/lmtp_server.py
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
command -v python3 >python.path || { echo '1..0 # SKIP needs python3'; exit; }

pid=
up() {	# up WHERE: a server, and nothing of an earlier one
	rm -rf S s && mkdir S
	python3 "$server" "$1" S 2>server.err & pid=$!
	until [ -S s ] || [ -f S/port ]; do sleep 0.05; done
}
down() { kill -KILL "$pid" 2>kill.err; wait "$pid" 2>kill.err; rm -f s; }
trap 'down; cd / && chmod -R u+rwx "$D" && rm -rf "$D"' EXIT
mailbox=lmtp:unix:$D/s
answers() { printf '%s\n' "$@" >S/script; }	# answers 'STEP ANSWER'...
taken() { find S -name '*.mail' | wc -l | tr -d ' '; }
empty() { rm -rf L log S/*; }
said() { cat S/*.said; }
pending() { "$BUILD/dedupdb" -l "$ledger" list --pending | wc -l | tr -d ' '; }
crlf() { sed 's/$/\r/' "$1"; }
message 1 >m
up s

# What it gets.
exits 0 'a message' -a joe@example.org -f me@example.com <m
is "$(taken)" 1 'it is taken'
crlf m >want
same S/1.mail want 'byte by byte, with CRLF'
printf 'MAIL FROM:<me@example.com> SIZE=%s BODY=8BITMIME\r\nRCPT TO:<joe@example.org>\r\nDATA\r\nQUIT\r\n' "$(wc -c <want)" >want.said
tail -n +2 S/1.said >got.said
same got.said want.said 'and the envelope'
matches "$(head -n 1 S/1.said)" '^LHLO [A-Za-z0-9.-]+' 'after LHLO'
matches "$(cat log)" "^time=.* action=delivered .* mailbox=lmtp:unix:$D/s size=" 'the log says so'
does duplicate 'the same again' -a joe@example.org -f me@example.com <m
is "$(taken) $(find S -name '*.said' | wc -l)" '1 1' 'is not handed over: there was not even a connection'
does delivered 'for another recipient' -a ann@example.org <m
does duplicate 'an extension is the same recipient' -a Ann+x@example.org <m
does delivered 'without an address' <m
is "$(grep -h RCPT S/3.said)" "$(printf 'RCPT TO:<%s>\r' "$(id -un)")" 'the recipient is the user'
is "$(grep -h MAIL S/3.said | cut -c 1-13)" 'MAIL FROM:<> ' 'and the sender nobody'
does delivered 'with alias-copies = each' -o alias-copies=each -a ann+y@example.org <m
does delivered 'an extension is another recipient' -o alias-copies=each -a ann+z@example.org <m
empty

exact() {	# exact NAME OPTION... <message: in `in`, wanted in `want`
	what=$1
	shift
	empty
	exits 0 "$what" "$@" <in
	same S/*.mail want "$what: the bytes"
	is "$(sed -n 's/.* SIZE=\([0-9]*\).*/\1/p' S/*.said)" "$(wc -c <want)" "$what: and their number"
}
printf 'Message-ID: <d@x>\n\n.\n..\n.x\n\n.\r\nend' >in
printf 'Message-ID: <d@x>\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\nend\r\n' >want
exact 'dots, CRLF, no last newline'
printf 'Message-ID: <d@x>\n\na\rb\r\r\n\000\377\n\r' >in
printf 'Message-ID: <d@x>\r\n\r\na\rb\r\r\n\000\377\r\n\r\r\n' >want
exact 'bare CR, NUL and eight bits'
printf 'From s@x Fri Nov 20 12:00:00 2026\nReturn-Path: <old@x>\nMessage-ID: <d@x>\nDelivered-To: a@x\n\nFrom x\n' >in
printf 'Return-Path: <old@x>\r\nMessage-ID: <d@x>\r\nDelivered-To: a@x\r\n\r\nFrom x\r\n' >want
exact "the MTA's From_ line"
is "$(grep -h MAIL S/*.said | cut -c 1-16)" 'MAIL FROM:<s@x> ' 'it tells the sender'
tail -n +2 want >want.1 && mv want.1 want
exact 'a sender takes the place of Return-Path' -f t@x -a b@x
{ printf 'Message-ID: <big@x>\n\n' && yes '.a line of it' | head -c 3000000 && echo; } >in
crlf in >want
exact 'a large one'
: >in
: >want
empty
exits 0 'nothing at all' <in
same S/*.mail want 'is taken, too'

# Addresses.
rcpt() {	# rcpt NAME PATH OPTION...
	what=$1 path=$2
	shift 2
	empty
	exits 0 "$what" "$@" <m
	is "$(sed -n 's/^RCPT TO:\([^\r]*\)\r$/\1/p' S/*.said)" "$path" "$what: $path"
}
rcpt 'a folder' '<joe+work@x>' -a joe@x -m work
rcpt 'a folder and an extension' '<joe+work@x>' -a joe+old@x -m work
rcpt 'another delimiter' '<joe-work@x>' -a joe@x -m work -o recipient-delimiter=-
rcpt 'no delimiter' '<joe@x>' -a joe@x -m work -o recipient-delimiter=
matches "$(cat log)" 'notice="lmtp:.*: the folder can.t be part of an address' 'the log says what is left out'
rcpt 'an odd folder' '<joe@x>' -a joe@x -m 'a b'
rcpt 'quotes' '<"a b"@x>' -a 'a b@x'
rcpt 'its own quotes' '<"a b"@x>' -a '"a b"@x'
defers "recipient's address" 'an address with a command in it' -a "joe@x>
RCPT TO:<ann@x" <m
empty
exits 0 'a sender with one' -a joe@x -f "a@x>
RCPT TO:<ann@x" <m
is "$(grep -c '^RCPT' S/1.said) $(grep -h MAIL S/1.said | cut -c 1-12)" '1 MAIL FROM:<>' 'becomes nobody'
empty
exits 0 'a sender beyond ASCII' -a joe@x -f 'jö@x' <m
matches "$(grep -ah MAIL S/1.said)" ' SMTPUTF8' 'is announced'
empty
answers 'lhlo 250 test'
exits 0 'a server that offers nothing' -a joe@x <m
is "$(tr -d '\r' <S/1.said | tail -n +2 | tr '\n' ' ')" 'MAIL FROM:<> RCPT TO:<joe@x> DATA QUIT ' 'is asked for nothing'
rm -rf L
defers 'SMTPUTF8' 'and gets no address beyond ASCII' -a joe@x -f 'jö@x' <m
answers 'lhlo 250-x\r\n250 SIZE 100'
defers 'takes 100 bytes at most' 'a server with less room' <m
is "$(pending)" 0 'nothing is recorded'
answers 'lhlo 250-x\r\n250-SIZE\r\n250-8BITMIME\r\n250 PIPELINING'
exits 0 'a server that does not say how much room it has' -a joe@x <m

# Answers. Before the message goes out nothing is recorded; afterwards the record is pending, and the next copy is handed over.
answer() {	# answer CODE PENDING LINE REASON STEP ANSWER [OPTION...]: the exit code, then a server that works gets it once
	want=$1 left=$2 first=$3 reason=$4 what="$5 $6" line=$5\ $6
	shift 6
	empty
	answers "$line"
	exits "$want" "$what" "$@" <m
	matches "$(head -n 1 err)" "^$first .*lmtp:unix:.*$reason" "$what: says why"
	is "$(lines err) $(LC_ALL=C tr -d '\n -~' <err | wc -c)" '1 0' "$what: in one line of ASCII"
	is "$(pending)" "$left" "$what: $left pending"
	rm S/script
	before=$(taken)
	does delivered "$what, then well" <m
	[ "$left" = 0 ] && again= || again='retried=yes'
	is "$(grep -o 'retried=yes' log)" "$again" "$what: the log ${again:+says} ${again:-does not speak of a retry}"
	is "$(($(taken) - before)) $(pending)" '1 0' "$what: once"
}
defer='75 0 4\.3\.0'
pend='75 1 4\.3\.0'
# shellcheck disable=SC2086 # several words
for step in greeting lhlo mail rcpt; do
	answer $defer 'says: 451 4.3.0 not now' $step '451 4.3.0 not now'
	answer $defer 'closed the connection' $step '!close'
	answer $defer 'no answer of an LMTP server' $step 'HTTP/1.1 400 Bad Request'
	answer $defer 'no answer of an LMTP server' $step '250-a\r\n251 b'
	answer $defer 'line without an end' $step '!flood'
	answer $defer 'no answer to .* in time' $step '!hang' -o time-limit=1s
	answer $defer 'no answer to .* in time' $step '!drip' -o time-limit=1s
done
# shellcheck disable=SC2086
{
	answer $defer 'says: 500 5.5.1 unknown command' lhlo '500 5.5.1 unknown command'
	answer $defer 'says: 554 5.7.1 go away' greeting '554 5.7.1 go away' -o on-refusal=reject
	answer $defer 'says: 451 .\[2J.{4}' rcpt '451 \x1b[2J\xe2\x82\xac\x7f'
	answer $defer 'says: 550 5.1.1 nobody' rcpt '550 5.1.1 nobody'
	answer 67 0 '5\.1\.1' 'says: 550 5.1.1 nobody' rcpt '550 5.1.1 nobody' -o unknown-user=reject
	answer 67 0 '5\.1\.1' 'says: 550 nobody' rcpt '550 nobody' -o unknown-user=reject
	answer $defer 'says: 552 5.2.2 full' rcpt '552 5.2.2 full'
	answer 77 0 '5\.2\.2' 'says: 552 5.2.2 full' rcpt '552 5.2.2 full' -o over-quota=reject
	answer $defer 'says: 554 5.7.1 policy' rcpt '554 5.7.1 policy'
	answer 69 0 '5\.0\.0' 'says: 554 5.7.1 policy' rcpt '554 5.7.1 policy' -o on-refusal=reject
	answer $pend 'says: 451 4.3.0 not now' data '451 4.3.0 not now'
	answer $pend 'answer to DATA is 250' data '250 thanks'
	answer $pend 'closed the connection' data '!close'
	answer $pend 'says: 451 4.2.0 not now' dot '451 4.2.0 not now'
	answer $pend 'says: 554 5.6.0 a virus' dot '554 5.6.0 a virus'
	answer 69 1 '5\.0\.0' 'says: 554 5.6.0 a virus' dot '554 5.6.0 a virus' -o on-refusal=reject
	answer 77 1 '5\.2\.2' 'says: 552 5.2.2 full' dot '552 5.2.2 full' -o over-quota=reject
	answer $pend 'closed the connection' dot '!close'
	answer $pend 'no answer of an LMTP server' dot 'taken'
	answer $pend 'answer to the message is 354' dot '354 more'
	answer $pend 'line without an end' dot '!flood'
	answer $pend 'no answer to the message in time' dot '!hang' -o time-limit=3s
}
matches "$(cat log)" 'action=delivered' 'log'
empty
answers 'rcpt 550 5.1.1 nobody'
exits 67 'rejected' -o unknown-user=reject <m
matches "$(cat log)" 'action=rejected .*reason=.*550 5.1.1 nobody' 'the log says so'
# An earlier copy may have been taken: then nothing is rejected any more.
answers 'dot !close'
exits 75 'the answer is lost' <m
answers 'rcpt 550 5.1.1 nobody'
exits 75 'and then the user is unknown' -o unknown-user=reject <m

# Slow, down, up.
empty
answers 'dot !wait 1 250 taken'
exits 0 'a slow server' <m
is "$(taken)" 1 'has it once'
empty
answers 'quit !hang'
exits 0 'a server that does not say goodbye' <m
is "$(taken) $(pending)" '1 0' 'has it all the same'
down
empty
defers 'lmtp:unix:.*connect: No such file' 'no server' <m
is "$(pending)" 0 'nothing is recorded'
up s
exits 0 'the server is back' <m
is "$(taken)" 1 'it gets it once'
does duplicate 'while it is up' <m
down
does duplicate 'a duplicate needs no server' <m
up s

# Killed.
killed_at() {	# killed_at STEP: when the server has got so far, and says nothing
	empty
	answers "$1 !hang"
	: >out
	"$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" <m >out 2>err &
	agent=$!
	until [ -f S/1.mail ] || { [ "$1" != dot ] && grep -qi "^$1" S/1.said 2>grep.err; }; do sleep 0.05; done
	kill -KILL $agent
	wait $agent 2>kill.err
	rm S/script
	does delivered "killed at $1, the next copy" <m
	does duplicate "killed at $1, one more" <m
}
killed_at rcpt
is "$(taken) $(grep -c retried log)" '1 0' 'it comes once'
killed_at data
is "$(taken)" 1 'it comes once'
killed_at dot
is "$(taken)" 2 'the server had taken it, and nobody knew: twice'

# At the same time.
empty
answers 'dot !wait 0.3 250 taken'
together
is "$(taken) $(cat code.* | grep -cx 0)" '1 8' 'eight copies at the same time: one hand-over, all content'
is "$(count 'action=delivered' log) $(count 'action=duplicate' log)" '1 7' 'seven of them are duplicates'
empty
answers "dot !until $D/go 250 taken"
together -o lock-timeout=0s
is "$(taken) $(cat code.* | sort | uniq -c | awk '{ print $2, $1 }' | tr '\n' ' ')" '1 0 1 75 7 ' 'without patience: one hand-over, the others come again'
matches "$(cat said.*)" '^4\.3\.0 another copy of this message is being handed over' 'they say why'

# What is done with duplicates, and without a ledger.
empty
exits 0 'a message' -a joe@x <m
does tagged 'a copy is tagged' -o on-duplicate=tag -a joe@x <m
matches "$(head -n 1 S/2.mail)" '^X-Dedup-Lda: duplicate; first=.*; fingerprint=[0-9a-f]{64}' 'with the field'
does filed 'a copy is filed' -o on-duplicate=folder:Copies -a joe@x <m
matches "$(cat S/3.said)" '^RCPT TO:<joe\+Copies@x>' 'under an extension of the address'
is "$(taken)" 3 'three in all'
exits 0 'no ledger' -o ledger=none -a joe@x <m
exits 0 'no ledger, again' -o ledger=none -a joe@x <m
is "$(taken)" 5 'is handed over each time'

# Separate copies.
empty
received() { printf 'Received: from %s by %s with ESMTP id %s; Fri, 20 Nov 2026 %s:00:00 +0000\n' "$@" && cat m; }
received a.example b.example QA 12 >one
received c.example d.example QC 13 >two
does delivered 'duplicates = proven: a message' -o duplicates=proven <one
does delivered 'another way is another message' -o duplicates=proven <two
does duplicate 'the same way is a copy' -o duplicates=proven <two
is "$(taken)" 2 'two are handed over'

# TCP.
down
up tcp
mailbox=lmtp:127.0.0.1:$(cat S/port)
empty
does delivered 'over TCP' <m
is "$(taken)" 1 'it is taken'
mailbox=lmtp:localhost:${mailbox##*:}
does delivered 'by name' <m
is "$(taken)" 2 'it is taken'
does filed 'by name: a copy is filed' -o on-duplicate=folder:Copies <m
is "$(taken)" 3 'it is taken'
down
defers 'connect: Connection refused' 'nobody listens' -o ledger=none <m
defers 'there is no host|look up host' 'no such host' -o mailbox=lmtp:no-such-host.invalid:24 <m

# What a crash left is left to the next copy, and dropped when that can't be a duplicate any more.
up s
mailbox=lmtp:unix:$D/s
empty
answers 'dot !close'
exits 75 'the answer is lost' <m
db 0 recover recover
prints '^0 settled, 1 left, 0 dropped' 'recover leaves it'
db 0 'list --pending' list --pending
prints 'pending' 'it is pending'
db 0 verify verify
prints '^absent +1$' 'verify: its message is nowhere to be seen'
db 0 show show "$("$BUILD/dedupdb" -l "$ledger" list --pending | grep -oE '[0-9a-f]{16,}' | head -n 1)"
prints "^mailbox +unix:$D/s" 'show tells the target'
exits 0 'a dry run' -n <m
ok 'says what will happen' grep -q 'would hand it over again' out
is "$(taken)" 1 'and does nothing'
plan
