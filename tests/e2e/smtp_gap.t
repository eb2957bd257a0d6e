#!/bin/sh
# smtp-gap beside a mail server that does what the test says: what is measured, what is sent, and what a server may do to it.
here=$PWD
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
schemas=$here/tests/schemas

# server [OPTION...] [WHEN=WHAT...]: a new one, on $port, and $s is its folder
server() {
	[ -z "${s:-}" ] || touch "$s/stop"
	s=$(mktemp -d "$D/server.XXXXXX")
	: >"$s/log"
	options=
	while [ "${1#--}" != "$1" ]; do
		options="$options $1"
		[ "$1" != --tls ] || { options="$options $2 $3"; shift 2; }
		shift
	done
	# shellcheck disable=SC2086 # several words
	python3 "$here/tests/e2e/smtp_server" $options "$s" "$@" >"$s/out" 2>"$s/err" &
	wait_for test -e "$s/port"
	port=$(cat "$s/port")
}
gap() {	# gap CODE NAME ARGUMENT...: smtp-gap against the server; its outputs in `out` and `err`
	want=$1 title=$2
	shift 2
	timeout -s KILL 60 "$BUILD/smtp-gap" -y -s "127.0.0.1:$port" "$@" joe@meadow.example >out 2>err </dev/null
	is $? "$want" "$title: exit $want" || diag "$(cat err)" "$(cat "$s/err")"
}
one() { gap "$@" -n 1 -S 1K; }	# a single small message
whines() {	# whines PATTERN NAME: one line besides what it says first
	matches "$(grep -v '^smtp-gap: [0-9]* test message\|^smtp-gap: by ' err)" "^smtp-gap: .*$1" "$2: says so"
	is "$(grep -vc '^smtp-gap: [0-9]* test message\|^smtp-gap: by ' err)" 1 "$2: in one line"
}
valid() { "$schemas/validate" smtp-gap out >why 2>&1; result $? "$1: as in the schema" || diag "$(head -n 5 why)" "$(cat out)"; }
true_of() { python3 -c "import json, sys; r = json.load(open('out')); sys.exit(not ($2))"; result $? "$1" || diag "$2" "$(cat out)"; }
seen() { grep -c -e "$1" "$s/log"; }	# how often the server heard this

# What is measured.
server 'dot=wait 0.3; 250 taken' 'dot#2=wait 0.5; 250-taken\r\n250 indeed'
gap 0 'a slow server' -n 2 -S 1K,10k,2000 --json
valid 'a slow server'
true_of 'every gap is at least what the server waited' "all(x['min'] >= 0.3 for x in r['sizes']) and r['sizes'][0]['max'] >= 0.5"
true_of 'sizes and counts' "[(x['size'], x['wanted'], x['answered']) for x in r['sizes']] == [(1024, 2, 2), (10240, 2, 2), (2000, 2, 2)]"
true_of 'min, median, p99, max in their order' "all(x['min'] <= x['median'] <= x['p99'] <= x['max'] for x in r['sizes'] + [r['all']])"
true_of 'all of them together' "r['all']['answered'] == 6 and r['all']['max'] == r['sizes'][0]['max']"
true_of 'no mark is reached' "[(m['seconds'], m['over']) for m in r['marks']] == [(60, 0), (120, 0), (300, 0), (600, 0)]"
true_of 'the server' "r['server']['address'] == '127.0.0.1' and r['server']['port'] == '$port' and r['server']['tls'] is None"
is "$(seen '^connect')" 1 'one connection'
is "$(seen '^QUIT')" 1 'and a QUIT'
is "$(seen '^MAIL FROM:<> SIZE=1024$') $(seen '^MAIL FROM:<> SIZE=10240$') $(seen '^MAIL FROM:<> SIZE=2000$')" '2 2 2' 'the null sender, and sizes'
is "$(seen '^RCPT TO:<joe@meadow.example>$')" 6 'the recipient'

# What is sent.
is "$(for i in 1 2 3 4 5 6; do sed 's/^\.//' "$s/message.$i" | wc -c; done | tr '\n' ' ')" '1024 1024 10240 10240 2000 2000 ' 'messages of just these sizes'
is "$(cat "$s"/message.* | LC_ALL=C grep -vc "$(printf '\r$')")" 0 'each line ends in CRLF'
is "$(cat "$s"/message.* | tr -dc '\r' | wc -c)" "$(cat "$s"/message.* | wc -l)" 'and has no other CR'
is "$(cat "$s"/message.* | grep '^\.' | grep -vc '^\.\.')" 0 'no line begins with a single dot'
ok 'some begin with two' grep -q '^\.\.' "$s/message.3"
is "$(cat "$s"/message.* | grep -ci '^Message-ID: <[^ ]*>')" 6 'each has a Message-ID'
is "$(grep -hi '^Message-ID:' "$s"/message.* | sort -u | wc -l | tr -d ' ')" 6 'of its own'
for field in 'Auto-Submitted: auto-generated' 'Precedence: bulk' 'X-Auto-Response-Suppress: All' 'To: <joe@meadow.example>' \
	'Subject: smtp-gap: test message [1-6] of 6, .*, please ignore' 'From: <.*@.*>' 'Date: [A-Z][a-z][a-z], [0-9 ][0-9] [A-Z][a-z][a-z] 20.*'; do
	is "$(cat "$s"/message.* | tr -d '\r' | grep -cx "$field")" 6 "each has: $field"
done

# As a table.
server 'dot=wait 0.3; 250 taken'
gap 0 'the table' -n 2 -S 1K -f renee@harbour.example
prints '^1\.0 KiB +2 of +2 +0\.[3-9][0-9]{3} +[0-9.]+ +[0-9.]+ +[0-9.]+$|^1\.0 KiB +2 of +2 +[1-9]' 'the table: a line for the size'
prints '^over  1 min +0 of +2$' 'the table: the first mark'
prints '^over  5 min +0 of +2 .*RFC 1047' "the table: RFC 1047's"
prints '^over 10 min +0 of +2 .*RFC 5321' "the table: RFC 5321's"
prints '^127\.0\.0\.1 \[127\.0\.0\.1\]:[0-9]+, no TLS, round trip [0-9.]+ ms$' 'the table: the server'
prints 'a sender that waits for a minute gets every answer' 'the table: the verdict'
is "$(seen '^MAIL FROM:<renee@harbour.example> SIZE=1024$')" 2 'the sender that was given'
matches "$(cat err)" '2 test messages of together 2.0 KiB to joe@meadow.example from <renee@harbour.example>: 2 of 1.0 KiB' 'what it sends is said before'

# Limits, and who is asked.
server
for arguments in 'joe@meadow.example -n 13' 'joe@meadow.example -n 51' 'joe@meadow.example -n 0' 'joe@meadow.example -n 12 -S 64M,64M,64M' \
	'joe@meadow.example -S 1' 'joe@meadow.example -S 65M' 'joe@meadow.example -S 1K;2K' 'joe@meadow.example -S 1K,1K,1K,1K,1K,1K,1K,1K,1K' \
	'joe@meadow.example -S 99999999999999999999M' \
	'' 'joe' '@meadow.example' 'joe@' 'joe@meadow.example ann@meadow.example' 'joe>@meadow.example' 'jo\351@meadow.example' \
	'joe@[192.0.2.1' 'joe@meadow.example -f <renee>' 'joe@meadow.example --timeout 0' 'joe@meadow.example --tls yes' \
	'joe@meadow.example -s [::1' 'joe@meadow.example -s host:' 'joe@meadow.example -s host:0' 'joe@meadow.example -s host:65536' \
	'joe@meadow.example -s :25' 'joe@meadow.example --helo=' 'joe@meadow.example --no-such-option' 'joe@meadow.example -S'; do
	# shellcheck disable=SC2046,SC2059 # several words, and an octal escape
	timeout -s KILL 60 "$BUILD/smtp-gap" -y -s "127.0.0.1:$port" $(printf "$arguments") >out 2>err
	is "$?" 64 "refused: $arguments" || diag "$(cat err)"
done
long=$(printf '%0240d@meadow.example' 0)
timeout -s KILL 60 "$BUILD/smtp-gap" -y -s "127.0.0.1:$port" "$long" >out 2>err
is "$?" 64 'refused: an address that is too long'
gap 64 'no room for the header' -S 1K --helo="$(printf '%0250d' 0)" -f "$(printf '%064d' 0)@$(printf '%0180d' 0)"
"$BUILD/smtp-gap" -s "127.0.0.1:$port" joe@meadow.example >out 2>err </dev/null
is $? 64 'without a terminal and without --yes: exit 64'
matches "$(cat err)" '^smtp-gap: 12 test messages of together 3\.3 MiB' 'it still says what it would send'
is "$(cat "$s/log")" '' 'nobody has connected so far'
for answer in n y; do
	python3 - "$answer" "$BUILD/smtp-gap" -n 1 -S 1K -s "127.0.0.1:$port" joe@meadow.example >out 2>err <<-'END'
	import os, pty, sys
	def read(fd):
	    data = os.read(fd, 1024)
	    if b"[y/N]" in data:
	        os.write(fd, sys.argv[1].encode() + b"\n")
	    return data
	sys.stdin = open(os.devnull)
	os.dup2(sys.stdin.fileno(), 0)
	sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))
	END
	is "$? $(cat "$s"/message.* 2>/dev/null | grep -c '^Message-ID:')" "$([ $answer = n ] && echo 1 0 || echo 0 1)" "asked on a terminal, answer $answer"
done
is "$("$BUILD/smtp-gap" --help | grep -c '^usage: smtp-gap')" 1 '--help'
matches "$("$BUILD/smtp-gap" -V)" '^smtp-gap \(dedup-lda\) [0-9.]+, OpenSSL' '-V'
"$BUILD/smtp-gap" --help >/dev/full 2>err
is $? 74 'a full disk: exit 74'

# What the server offers.
server 'EHLO=250-test\r\n250-8BITMIME\r\n250 size 5000'
gap 0 'SIZE' -n 1 -S 10K,5000,1K
prints 'not sent: the server takes up to 5000 bytes' 'SIZE: what is larger is not sent, and it is said'
is "$(seen '^dot')" 2 'SIZE: the others are'
gap 0 'SIZE' -n 1 -S 10K,5000,1K --json
valid 'SIZE'
true_of 'SIZE: what is skipped' "[x['skipped'] for x in r['sizes']] == [True, False, False] and r['sizes'][0]['min'] is None"
# RFC 1870 allows a SIZE of 20 digits, which no JSON integer holds; other servers say what is no number.
for size in '18446744073709551615 9223372036854775807' '99999999999999999999 9223372036854775807' '-5 0' 'x 0'; do
	server "EHLO=250-test\\r\\n250 SIZE ${size% *}"
	one 0 "SIZE ${size% *}" --json
	valid "SIZE ${size% *}"
	true_of "SIZE ${size% *}: the limit" "r['server']['size_limit'] == ${size#* }"
done
server 'EHLO=250 test'
one 0 'no SIZE'
is "$(seen '^MAIL FROM:<>$')" 1 'no SIZE: none is said'
server 'EHLO=502 what' 'HELO=250 hello'
one 0 'no EHLO'
is "$(seen '^HELO ')" 1 'no EHLO: HELO'
one 0 '--helo' --helo mx.harbour.example
is "$(seen '^HELO mx.harbour.example$')" 1 '--helo: the name'
one 0 'the dialogue' -v
matches "$(cat err)" '^-> RCPT TO:<joe@meadow.example>$' 'the dialogue: what it says'
matches "$(cat err)" '^<- 250 taken$' 'the dialogue: what the server says'

# Refusals: one line with the reply, an exit code, and what was measured until then.
while read -r code when what; do
	server "$when=$what"
	[ "$when" != HELO ] || server "$when=$what" 'EHLO=502 what'
	one "$code" "refused, $when"
	whines "the server said: ${what%%\\*}" "refused, $when"
	[ "${what#421}" != "$what" ] || is "$(seen '^QUIT')" 1 "refused, $when: it says QUIT"
done <<'END'
69 greeting 554 no service
75 greeting 421 later
69 HELO 554 go away
75 EHLO 421 later
75 MAIL 451 4.3.0 later
69 MAIL 550 no
67 RCPT 550 5.1.1 nobody
75 RCPT 450 4.2.0 greylisted
76 RCPT 350 what
69 DATA 554 no
76 DATA 250 what
69 dot 550 5.7.1 spam
75 dot 451 4.3.0 later
END
server 'dot#3=552 5.3.4 \xff\x1b[31m\x00too large'
gap 69 'any bytes' -n 2 -S 1K,2K --json
ok 'any bytes: nothing unprintable reaches the terminal' not env LC_ALL=C grep -q "$(printf '[^ -~]')" err
matches "$(cat err)" 'message 3: [0-9.]+ s after the final dot: the server said: 552 5\.3\.4 .*too large' 'any bytes: which message, and when'
valid 'any bytes'
true_of 'any bytes: what was measured until then' "[x['answered'] for x in r['sizes']] == [2, 0] and r['error']['code'] == 69"
true_of 'a refused message is not in doubt' "'unanswered' not in r"

# What a hostile or broken server does. Never a signal, always one line, and never for long.
while read -r code when what; do
	server "$when=$what"
	one "$code" "hostile, $when: $what"
	whines '.' "hostile, $when: $what"
done <<'END'
76 greeting flood x
76 greeting flood 220-more\r\n
76 greeting flood \x00\xff\n
76 greeting hello
76 greeting 2
76 greeting 22\x00
76 greeting 220:hi
76 greeting 620 hi
76 greeting \r\n\r\n
75 greeting close
75 greeting reset
76 greeting 220-one\r\n421 two
76 EHLO flood 250-SIZE 1\r\n
75 EHLO close
75 EHLO 250-part; close
76 RCPT 250 fine\x00\r\nand more
75 RCPT reset
75 MAIL wait 0.1; reset
69 text 554 too early
75 text 451 too early
76 text 250 too early
76 text flood \xff
75 text close
75 text reset
75 dot close
75 dot 250-half; close
75 dot reset
76 dot flood x
76 dot ok
76 dot 250-yes\r\n550 no
END
server 'EHLO=250-test\r\n250 SIZE 99999999999999999999999999999'
one 0 'a SIZE beyond all numbers'
server 'EHLO=250-test\r\n250 SIZE -1'
one 0 'a SIZE that is no number'
server 'QUIT=flood x'
one 0 'a QUIT without an end'
server 'RCPT=250 fine; 250 twice'
one 76 'an answer that nobody asked for'
server 'text=554 too large; close'
gap 69 'refused in the middle of a large message' -n 1 -S 16M

# Gaps without an end.
server 'dot#2=silent'
gap 75 'no answer' -n 2 -S 1K --timeout 1s
whines 'message 2: [0-9.]+ s after the final dot: timed out' 'no answer'
prints '^1\.0 KiB +1 of +2 ' 'no answer: what was measured'
prints '^not answered: a message of 1024 bytes, for ([1-9]|[0-9]{2,})' 'no answer: for how long'
prints 'there was no answer, so a sender sends again' 'no answer: the verdict'
server 'dot=close'
gap 75 'closed in the gap' -n 1 -S 1K --json
valid 'closed in the gap'
true_of 'closed in the gap: it is in doubt' "r['unanswered']['size'] == 1024 and r['all']['answered'] == 0 and r['all']['max'] is None"
heard() { [ "$(seen "$pattern")" -ge "$wanted" ]; }
stop_when() {	# stop_when PATTERN COUNT ARGUMENT...: SIGTERM when the server has heard so many such lines
	pattern=$1 wanted=$2
	shift 2
	"$BUILD/smtp-gap" -y -s "127.0.0.1:$port" "$@" joe@meadow.example >out 2>err &
	pid=$!
	wait_for heard
	kill -TERM $pid
	wait $pid 2>wait.err
}
server 'dot#2=silent'
stop_when '^dot' 2 -n 2 -S 1K
is $? 143 'interrupted: it dies of the signal'
prints '^1\.0 KiB +1 of +2 ' 'interrupted: and says what was measured'
whines 'interrupted' 'interrupted'
server 'text=wait 10'
stop_when '^DATA' 1 -n 1 -S 16M
is $? 143 'interrupted in the text: it dies of the signal'
whines 'message 1: the text: interrupted' 'interrupted in the text'
ok 'interrupted in the text: nothing is in doubt' not grep -q '^not answered' out

# TLS.
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>openssl.err
tls='EHLO=250-test\r\n250 STARTTLS'
server --tls "$D/cert" "$D/key" "$tls" 'dot=wait 0.3; 250 taken'
one 0 'TLS when it is offered' --json
valid 'TLS when it is offered'
true_of 'TLS when it is offered: with any certificate' "r['server']['tls'].startswith('TLSv1.')"
true_of 'TLS when it is offered: the gap' "r['all']['min'] >= 0.3"
is "$(seen '^tls') $(seen '^EHLO')" '1 2' 'TLS when it is offered: EHLO again'
gap 0 'TLS, a large message' -n 1 -S 3M
is "$(sed 's/^\.//' "$s/message.2" | wc -c)" 3145728 'TLS, a large message: all of it'
one 0 'TLS is required' --tls=require
one 0 'TLS is off' --tls=off
is "$(seen '^tls')" 3 'TLS is off: none'
one 76 'the certificate is unknown' --tls=verify
whines 'STARTTLS: TLS: self.signed certificate' 'the certificate is unknown'
SSL_CERT_FILE=$D/cert
export SSL_CERT_FILE
one 0 'the certificate is for this name' --tls=verify -s "localhost:$port" -4
one 76 'the certificate is for another one' --tls=verify
whines 'STARTTLS: TLS: .*mismatch' 'the certificate is for another one'
unset SSL_CERT_FILE
server "$tls" 'STARTTLS=454 not now'
one 0 'TLS is not to be had'
one 75 'TLS is required and not to be had' --tls=require
whines 'STARTTLS: the server said: 454 not now' 'TLS is required and not to be had'
is "$(seen '^dot')" 1 'TLS is required and not to be had: nothing is sent'
server
one 69 'TLS is required and not offered' --tls=require
whines 'the server offers no STARTTLS' 'TLS is required and not offered'
for what in 'close' 'reset' 'garbage' '220 x; flood x' '220 x\r\n250 put in'; do
	server "$tls" "STARTTLS=220 go on; $what"
	timeout -s KILL 60 "$BUILD/smtp-gap" -y -s "127.0.0.1:$port" -n 1 -S 1K joe@meadow.example >out 2>err </dev/null
	matches "$?" '^7[56]$' "TLS, then $what: exit 75 or 76" || diag "$(cat err)"
	whines 'STARTTLS: ' "TLS, then $what"
done
server "$tls" 'STARTTLS=220 go on\r\n250 put in'
one 76 'TLS, something in the clear' -v
matches "$(cat err)" 'said in the clear' 'TLS, something in the clear: says so'

# Where it connects to.
touch "$s/stop"
gap 68 'no such host' -s no-such-host.invalid
whines 'no-such-host.invalid' 'no such host'
python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >port
gap 75 'nobody listens' -s "127.0.0.1:$(cat port)"
whines "127.0.0.1 \[127.0.0.1\]:$(cat port): Connection refused" 'nobody listens'
if python3 -c 'import socket; socket.create_server(("::1", 0), family=socket.AF_INET6)' 2>v6.err; then
	server --ipv6
	one 0 'IPv6' -6 -s "[::1]:$port"
	is "$(seen '^dot')" 1 'IPv6: it came'
	one 68 'IPv4 only' -4 -s "[::1]:$port"
else
	skip 'IPv6' 'there is none'
fi
server
timeout -s KILL 60 "$BUILD/smtp-gap" -y -s "127.0.0.1:$port" -n 1 -S 1K 'joe@[IPv6:2001:db8::1]' >out 2>err </dev/null
is "$? $(seen '^RCPT TO:<joe@\[IPv6:2001:db8::1\]>$')" '0 1' 'an address literal as recipient'
touch "$s/stop"
plan
