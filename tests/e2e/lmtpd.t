#!/bin/sh
# The LMTP server: the protocol, what it stores, and which reply it gives.
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/lmtp.sh
. "$here/lmtp.sh"

# The command line.
refuses() {	# refuses CODE REASON NAME OPTION...: it does not start
	want=$1 reason=$2 title=$3
	shift 3
	timeout 10 "$BUILD/dedup-lmtpd" -F -o "mailbox=maildir:$D/vmail/%u" -o "ledger=bdb:$D/L/%d" -o log=stderr "$@" >out 2>err
	is $? "$want" "$title: exit $want"
	matches "$(head -n 1 err)" "^dedup-lmtpd: .*$reason" "$title: it says why"
}
refuses 64 'usage: dedup-lmtpd' 'unknown option' -x
refuses 64 'usage: dedup-lmtpd' 'an argument' -l "unix:$D/s" argument
refuses 64 'nowhere to listen' 'no address'
for a in s unix:s 127.0.0.1 127.0.0.1: 127.0.0.1:0 127.0.0.1:65536 ::1:24 '[::1:24' host.example:24 127.0.0.1:24x; do
	refuses 64 '-l ' "-l $a" -l "$a"
done
for w in 0 x -1 5000 ''; do
	refuses 64 '-w' "-w '$w'" -l "unix:$D/s" -w "$w"
done
for a in 127.0.0.1:25 '[::1]:25'; do
	refuses 78 'port 25' "$a" -l "$a"
	refuses 78 'port 25' "$a, with lmtp-network" -l "$a" -o lmtp-network=any
done
for a in 0.0.0.0:2424 192.0.2.1:2424 '[::]:2424' '*:2424' '[2001:db8::1]:2424'; do
	refuses 78 'lmtp-network = any' "$a" -l "$a"
done
refuses 75 'home folder' 'virtual recipients have no home' -l "unix:$D/s" -o mailbox=maildir:~/Maildir
refuses 64 'only root may use -u' 'another user' -l "unix:$D/s" -u root
refuses 78 'lmtp-stats' 'a relative path' -l "unix:$D/s" -o lmtp-stats=stats
for o in lmtp-max-size=1X lmtp-max-size= lmtp-max-recipients=0 lmtp-timeout=0 lmtp-data-timeout=x lmtp-network=all; do
	refuses 78 "${o%%=*}" "-o $o" -l "unix:$D/s" -o "$o"
done
echo text >file
refuses 75 'no socket' 'a file in its place' -l "unix:$D/file"
is "$(cat file)" text 'which stays'
matches "$("$BUILD/dedup-lmtpd" -V)" '^dedup-lmtpd [0-9.]+$' 'the version'

# A session.
serve -o "lmtp-stats=$D/stats"
is "$(stat -c %a s)" 666 'whoever gets to the socket may connect'
letter joe@example.org 1 >session
said 'a message' '220 250 250 2.1.0 250 2.1.5 354 250 2.0.0 221 2.0.0' <session
sed -n '2,8p' replies | sed 's/-vm$//; s/^250-.*\..*/250-host/' | tail -n +2 >extensions
is "$(tr '\n' ' ' <extensions)" '250-PIPELINING 250-ENHANCEDSTATUSCODES 250-8BITMIME 250-SMTPUTF8 250-CHUNKING 250 SIZE 0 ' 'the extensions'
matches "$(grep '^250 2.0.0' replies)" ': delivered$' 'the reply says what was done'
sed '/^Received:/,/;$/d; /^	[A-Z][a-z][a-z], /d' "$(only_in vmail/joe@example.org)" >stored
printf 'Return-Path: <sender@example.net>\nDelivered-To: joe@example.org\nMessage-ID: <1@example.net>\nDate: today\n\nText.\n' >wanted
same stored wanted 'what is stored'
sed -n '/^Received:/,/^	[A-Z][a-z][a-z], /p' "$(only_in vmail/joe@example.org)" | tr -s '\n\t' ' ' >received
matches "$(cat received)" '^Received: from here\.example by [^ ]+ with LMTP id [0-9a-f-]+ for <joe@example\.org>; [A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} \+0000 $' \
	'the Received field'
letter joe@example.org 1 | talk
matches "$(grep '^250 2.0.0' replies)" ': duplicate$' 'the same again: 250, a duplicate'
is "$(box joe@example.org)" 1 'and it is there once'
letter joe@example.org 2 | talk
matches "$(cat log)" 'action=answered id=[0-9a-f-]+ client=here.example size=47 recipients=1 delivered=1 duplicates=0 failed=0 gap_ms=[0-9]+' 'the log has the gap'
printf 'Message-ID: <1@example.net>\nDate: today\n\nText.\n' >piped
does duplicate 'the same through a pipe' -o "mailbox=maildir:$D/vmail/joe@example.org" -o "ledger=bdb:$D/L/example.org" <piped
said 'the state' '220 503 5.5.1 503 5.5.1 503 5.5.1 503 5.5.1 250 2.0.0 250 503 5.5.1 503 5.5.1 250 2.1.0 503 5.5.1 503 5.5.1 250 2.1.5 250 503 5.5.1 250 2.0.0 221 2.0.0' <<END
MAIL FROM:<a@b.example>
RCPT TO:<joe@example.org>
DATA
BDAT 0 LAST
RSET
LHLO x
RCPT TO:<joe@example.org>
DATA
MAIL FROM:<>
MAIL FROM:<>
DATA
RCPT TO:<joe@example.org>
LHLO x
RCPT TO:<joe@example.org>
RSET
QUIT
END
said 'other commands' '220 250 250 2.0.0 252 2.5.0 214 2.0.0 500 5.5.1 501 5.5.4 555 5.5.4 501 5.1.7 221 2.0.0' <<END
LHLO x
NOOP nothing
VRFY joe
HELP
EXPN list
MAIL x
MAIL FROM:<a@b.example> AUTH=<>
MAIL FROM:a@b.example
QUIT
END
said 'SMTP' '220 500 5.5.1' <<END
EHLO x
MAIL FROM:<a@b.example>
END
said 'a browser' '220 500 5.5.1' <<END
POST / HTTP/1.1
LHLO x
END
{ echo 'LHLO x'; yes FROB | head -n 30; } | talk
is "$(codes | tail -c 19)" '500 5.5.1 421 4.7.0' 'too many errors: the end'
{ echo 'LHLO x'; yes NOOP | head -n 300; } | talk
is "$(codes | tail -c 19)" '250 2.0.0 421 4.7.0' 'too many commands without a message: the end'
{ echo 'LHLO x'; printf 'NOOP %5000d\n' 1; echo QUIT; } | talk
is "$(codes)" '220 250 500 5.5.2 221 2.0.0' 'a long line'
printf 'LHLO x\nNOOP\0\001\377\r\nQUIT\r\n' | talk_raw
is "$(codes)" '220 250 501 5.5.2 221 2.0.0' 'a line end without CR, and bytes that are no text'

# Several recipients.
said 'two messages in a session, one to three' \
    '220 250 250 2.1.0 250 2.1.5 250 2.1.5 450 4.1.1 250 2.1.5 354 250 2.0.0 250 2.0.0 250 2.0.0 250 2.1.0 250 2.1.5 354 250 2.0.0 221 2.0.0' <<END
LHLO x
MAIL FROM:<>
RCPT TO:<ann@example.org>
RCPT TO:<ANN+Work@Example.org>
RCPT TO:<../joe@example.org>
RCPT TO:<"mia m"@example.org>
DATA
Message-ID: <3@example.net>
Date: today

Three.
.
MAIL FROM:<>
RCPT TO:<ann@example.org>
DATA
Message-ID: <4@example.net>
Date: today

.
QUIT
END
is "$(sed -n 's/^250 2.0.0 .*: //p' replies | tr '\n' ' ')" 'delivered duplicate delivered delivered ' 'a reply for each, in order'
is "$(box ann@example.org) $(box 'mia m@example.org')" '2 1' 'each has it once'
is "$(cat vmail/*/new/* | grep -c 'for <')" 3 'Received names a recipient only where there is one'
matches "$(cat vmail/mia*/new/*)" '^Delivered-To: "mia m"@example.org$' 'a quoted address stays quoted'
mkdir -p vmail/ann@example.org/.Work/cur vmail/ann@example.org/.Work/new vmail/ann@example.org/.Work/tmp
letter ann+Work@example.org 5 | talk
is "$(copies_in vmail/ann@example.org/.Work)" 1 'an extension is a folder'
python3 "$talk" many "$D/s" 1000 10 >out 2>err || diag "$(cat err)"
is "$(cat out)" '900 900 221' 'a thousand recipients, a tenth of them refused: each other has its reply'
is "$(find vmail -path '*/r[0-9]*/new/*' | wc -l)" 900 'and the message'
stop_server
is "$(sample 'delivered_total') $(sample 'duplicates_total') $(sample messages_total)" '906 2 7' 'the statistics' || diag "$(cat stats)"
is "$(sample 'gap_seconds_count') $(sample 'gap_seconds_bucket{le="+Inf"}')" '7 7' 'the gaps'
is "$(stat -c %a stats)" 644 'may be read by all'
ok 'the socket is gone' not test -e s

# What is stored: byte by byte what the agent gets from an MTA through a pipe.
serve -o add-headers=
raw() {	# raw NAME ADDRESS SENT WANTED: printf formats of the text with its end, and of what is stored behind the head
	{ printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<%s@example.org>\r\nDATA\r\nMessage-ID: <%s>\r\nDate: d\r\n\r\n' "$2" "$2"
	# shellcheck disable=SC2059
	printf "$3"; printf 'QUIT\r\n'; } | talk_raw
	is "$(codes)" '220 250 250 2.1.0 250 2.1.5 354 250 2.0.0 221 2.0.0' "$1: accepted" || diag "$(cat replies)"
	sed '1,/^Date: d$/d' "$(only_in "vmail/$2@example.org")" | tail -n +2 >stored
	# shellcheck disable=SC2059
	printf "$4" >wanted
	same stored wanted "$1"
}
raw 'dots' d1 '..\r\n..a\r\n...\r\na.\r\n.b\r\n.\r\n' '.\n.a\n..\na.\nb\n'
raw 'an empty body' d2 '.\r\n' ''
raw 'a NUL and all bytes above' d3 'a\000b\377\200\r\n.\r\n' 'a\000b\377\200\n'
raw 'LF.LF is no end' d4 'a\n.\nMAIL FROM:<x>\r\n.\r\n' 'a\n.\nMAIL FROM:<x>\n'
raw 'LF.CRLF is no end' d5 'a\n.\r\nMAIL FROM:<x>\r\n.\r\n' 'a\n.\nMAIL FROM:<x>\n'
raw 'CRLF.LF is no end' d6 'a\r\n.\nb\r\n.\r\n' 'a\n\nb\n'
raw 'CR.CR is no end' d7 'a\r.\rb\r\n.\r\n' 'a\r.\rb\n'
raw 'CRLF.CR is no end' d8 'a\r\n.\rb\r\n.\r\n' 'a\n\rb\n'
raw 'CR CRLF' d9 'a\r\r\n.\r\n' 'a\r\n'
raw 'a line of a million bytes' d10 "$(head -c 1000000 /dev/zero | tr '\0' x)\\r\\n.\\r\\n" "$(head -c 1000000 /dev/zero | tr '\0' x)\\n"
printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b1@example.org>\r\nBDAT 22\r\nMessage-ID: <b1>\r\nDateBDAT 16\r\n: d\r\n\r\n.a\r\n.\r\nb\nBDAT 0 LAST\r\nQUIT\r\n' | talk_raw
is "$(codes)" '220 250 250 2.1.0 250 2.1.5 250 2.0.0 250 2.0.0 250 2.0.0 221 2.0.0' 'chunks' || diag "$(cat replies)"
printf '.a\n.\nb\n' >wanted
sed '1,/^Date: d$/d' "$(only_in vmail/b1@example.org)" | tail -n +2 >stored
same stored wanted 'chunks: a dot is a dot'
printf 'LHLO x\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nRCPT TO:<b2@example.org>\r\nBDAT 6\r\nQUIT\r\nNOOP\r\nDATA\r\nRCPT TO:<b3@example.org>\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\nBDAT x\r\nQUIT\r\n' | talk_raw
is "$(codes)" '220 250 503 5.5.1 250 2.1.0 503 5.5.1 250 2.1.5 250 2.0.0 250 2.0.0 503 5.5.1 503 5.5.1 250 2.0.0 503 5.5.1 250 2.1.0 501 5.5.4' \
	'chunks out of place are read and thrown away; one without a size is the end' || diag "$(cat replies)"
is "$(find vmail -path '*/b2@*' | wc -l)" 0 'RSET ends the message'
printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b4@example.org>\r\nBDAT 6\r\nabcdefQUIT\r\nNOOP\r\n' | talk_raw
is "$(codes)" '220 250 250 2.1.0 250 2.1.5 250 2.0.0 221 2.0.0' 'QUIT between two chunks is the end' || diag "$(cat replies)"
{ printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b5@example.org>\r\n'
for i in $(seq 300); do printf 'BDAT 4\r\nabc\n'; done
printf 'BDAT 0 LAST\r\nQUIT\r\n'; } | talk_raw
matches "$(codes)" '250 2.0.0 250 2.0.0 221 2.0.0$' '300 chunks are one message' || diag "$(tail -n 3 replies)"
is "$(stat -c %a s)" 666 'whoever comes to the socket may connect'

# A ledger that can't be used.
serve
chmod 0 L
{ letter a1@example.org t1 | sed '$d'; printf 'NOOP\n'; } | talk
chmod 700 L
matches "$(codes)" '354 250 2.0.0 421 4.3.2$' 'its worker ends after the message: another one may be able to' || diag "$(cat replies)"

# Limits.
serve -o lmtp-max-size=1K -o lmtp-max-recipients=2 -o lmtp-timeout=1s -o lmtp-data-timeout=1s
matches "$(echo QUIT | { printf 'LHLO x\n'; cat; } | { talk; cat replies; })" '^250 SIZE 1024$' 'the limit is announced'
said 'too large, as announced' '220 250 552 5.3.4 250 2.1.0 221 2.0.0' <<END
LHLO x
MAIL FROM:<> SIZE=1025
MAIL FROM:<> SIZE=1024
QUIT
END
{ printf 'LHLO x\nMAIL FROM:<>\nRCPT TO:<l1@example.org>\nRCPT TO:<l2@example.org>\nRCPT TO:<l3@example.org>\nDATA\n\n'; yes 'A line.' | head -n 200
printf '.\nQUIT\n'; } | talk
is "$(codes)" '220 250 250 2.1.0 250 2.1.5 250 2.1.5 452 4.5.3 354 552 5.3.4 552 5.3.4 221 2.0.0' \
	'too many recipients; too large: a reply for each, and the session goes on'
{ printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<l1@example.org>\r\nBDAT 2000\r\n%02000dBDAT 10\r\n%010dBDAT 5 LAST\r\n%05dQUIT\r\n' 1 2 3; } | talk_raw
is "$(codes)" '220 250 250 2.1.0 250 2.1.5 552 5.3.4 552 5.3.4 552 5.3.4 221 2.0.0' 'a chunk that is too large'
is "$(find vmail -path '*/l[123]@*' | wc -l)" 0 'nothing of that is stored'
{ printf 'LHLO x\nMAIL FROM:<>\nRCPT TO:<a/b@example.org>\nRCPT TO:<l4@example.org>\nRCPT TO:<l5@example.org>\n'
yes 'RCPT TO:<l6@example.org>' | head -n 250; printf 'DATA\nMessage-ID: <l4>\n\n.\nQUIT\n'; } | talk
is "$(grep -c '^452 4.5.3' replies) $(grep -c '^250 2.0.0' replies) $(tail -n 1 replies | cut -c 1-9)" '250 2 221 2.0.0' \
	'far too many recipients: those that have a place get the message'
{ echo LHLO x; yes 'RCPT TO:<l1@example.org>' | head -n 250; } | talk
is "$(grep -c ^503 replies) $(tail -n 1 replies | cut -c 1-9)" '199 421 4.7.0' 'recipients of no message are no way to stay'
printf 'LHLO x\r\n' | talk_raw
is "$(codes)" '220 250 421 4.4.2' 'a client that says nothing is dismissed'
{ printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<l1@example.org>\r\nDATA\r\na\r\n'; } | talk_raw
is "$(codes)" '220 250 250 2.1.0 250 2.1.5 354 421 4.4.2' 'in the middle of a message, too'
{ printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<l1@example.org>\r\nDATA\r\n%0500d\r\n.\r\nQUIT\r\n' 1; } | python3 "$talk" slow "$D/s" 20 0.2 >replies
is "$(codes)" '220 250 250 2.1.0 250 2.1.5 354 421 4.4.2' 'and one that sends a little now and then'
# Each chunk comes in one parcel with its command; the first 54 bytes are six such parcels.
{ printf 'LHLO x.tests\r\nMAIL FROM:<>\r\nRCPT TO:<l1@example.org>\r\n'; for i in $(seq 60); do printf 'BDAT 1\r\nx'; done; } |
    python3 "$talk" slow "$D/s" 9 0.1 >replies
is "$(tail -n 1 replies)" '421 4.4.2 the message came too slowly' 'small chunks now and then, too'
{ printf 'LHLO x\r\nMAIL FROM:<>\r\n'; yes 'RCPT TO:<a/b@example.org>' | head -n 60 | sed 's/$/\r/'; } | python3 "$talk" slow "$D/s" 27 0.2 >replies
is "$(tail -n 1 replies)" '421 4.4.2 the recipients came too slowly' 'and recipients that are none'
serve
is "$(python3 "$talk" large "$D/s" 100000000 DATA)" '250 2.0.0' '100 MB'
is "$(python3 "$talk" large "$D/s" 100000000 BDAT)" '250 2.0.0' '100 MB in chunks'
is "$(box large@example.org)" 1 'are one message'
peak() { for p in $(pgrep -P "$server"); do sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$p/status"; done | sort -n | tail -n 1; }
ok 'and take little memory' test "$(peak)" -lt 20000 || diag "$(peak) kB"

# Who is known.
serve -o unknown-user=reject
mkdir -p vmail/known@example.org/cur vmail/known@example.org/new vmail/known@example.org/tmp
said 'unknown-user = reject' '220 250 250 2.1.0 250 2.1.5 550 5.1.1 550 5.1.1 354 250 2.0.0 221 2.0.0' <<END
LHLO x
MAIL FROM:<>
RCPT TO:<known@example.org>
RCPT TO:<unknown@example.org>
RCPT TO:<a/b@example.org>
DATA
Message-ID: <k>

.
QUIT
END
mkdir own
cat >own/deliver <<END
#!/bin/sh
cat >>"$D/\$1"
END
chmod +x own/deliver
serve -o unknown-user=reject -o "mailbox=pipe:$D/own/deliver handed"
letter any@example.org handed | talk
matches "$(grep '^250 2.0.0' replies)" ': delivered$' 'a command says itself whom it does not know' || diag "$(cat replies)"
is "$(grep -c '^Message-ID: <handed@' handed)" 1 'it gets the message'
serve -o unknown-user=reject
mv vmail away
letter unknown@example.org u | talk
matches "$(codes)" '250 2.1.5 354 451 4.3.0 ' 'a file system that is not there bounces nothing'
mv away vmail
serve
chmod 500 vmail
said 'one mailbox that fails' '220 250 250 2.1.0 250 2.1.5 250 2.1.5 250 2.1.5 354 250 2.0.0 451 4.3.0 250 2.0.0 221 2.0.0' <<END
LHLO x
MAIL FROM:<>
RCPT TO:<known@example.org>
RCPT TO:<fails@example.org>
RCPT TO:<joe@example.org>
DATA
Message-ID: <fails>
Date: d

.
QUIT
END
chmod 700 vmail
matches "$(grep 451 replies)" '^451 4.3.0 [0-9a-f-]+: [ -~]+$' 'and the reply says why'
letter fails@example.org fails | talk
matches "$(grep '^250 2.0.0' replies)" ': delivered$' 'it is delivered later'
serve -o "mailbox=mbox:$D/vmail/%n.mbox"
printf 'LHLO x\r\nMAIL FROM:<s@example.net>\r\nRCPT TO:<mb@example.org>\r\nDATA\r\nMessage-ID: <mb>\r\nDate: d\r\n\r\nFrom here\r\n.\r\nQUIT\r\n' >session
talk_raw <session
talk_raw <session
matches "$(grep '^250 2.0.0' replies)" ': duplicate$' 'an mbox'
is "$(grep -c '^From s@example.net' vmail/mb.mbox) $(grep -c '^>From here' vmail/mb.mbox)" '1 1' 'once'

# To a command, and to another server.
serve -o "mailbox=pipe:/usr/bin/tee -a $D/piped"
letter pipe@example.org pipe1 | talk
letter pipe@example.org pipe1 | talk
matches "$(grep '^250 2.0.0' replies)" ': duplicate$' 'a command'
is "$(grep -c '^Message-ID: <pipe1@' piped)" 1 'it gets the message once'
"$BUILD/dedup-lmtpd" -F -l "unix:$D/behind" -o "mailbox=maildir:$D/behind.mail" -o ledger=none -o log=stderr 2>behind.err &
behind=$!
serve -o "mailbox=lmtp:unix:$D/behind"
wait_for test -S behind
letter other@example.org behind1 | talk
matches "$(grep '^250 2.0.0' replies)" ': delivered$' 'another server' || diag "$(cat replies behind.err)"
letter other@example.org behind1 | talk
is "$(copies_in behind.mail)" 1 'it gets the message once'
kill $behind
letter other@example.org behind2 | talk
matches "$(codes)" '354 451 4.3.0 221' 'when it is gone: try again'

# TCP.
serve -l 127.0.0.1:24024 -l '[::1]:24024'
printf 'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<tcp@example.org>\r\nDATA\r\nMessage-ID: <tcp>\r\n\r\n.\r\nQUIT\r\n' >session
python3 "$talk" talk 127.0.0.1:24024 <session >replies
matches "$(codes)" '354 250 2.0.0 221 2.0.0$' 'TCP over IPv4'
matches "$(cat vmail/tcp@example.org/new/*)" '^Received: from x \(\[127\.0\.0\.1\]\)$' 'its address is in Received'
python3 "$talk" talk '[::1]:24024' <session >replies
matches "$(codes)" '354 250 2.0.0 221 2.0.0$' 'TCP over IPv6' || diag "$(cat replies server.err)"
plan
