#!/bin/sh
# dedupdb gaps: what it makes of events, in the terminal, as JSON and as a page. The events are written by event_write: PROOF as in
# include/trace.h (1 same chain, 2 queue id, 3 sender, 4 fork, 5 loop, 6 separate; 128 more: sure).
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

json() { is "$(python3 -c "import json; d = json.load(open('out')); print(($1))" 2>&1)" "$2" "$3"; }	# json EXPRESSION WANTED NAME
one() { json "d['hops'][0]$1" "$2" "$3"; }	# of the most frequent hop
line() { is "$(grep -Fxc -e "$1" out)" 1 "$2" || diag "$(cat out)"; }	# line LINE NAME: the last `db` printed it once
copies() {	# copies PROOF SENDER RECEIVER DELAY...: a duplicate for each delay, an hour ago
	copies_of="$1 $2 $3"
	shift 3
	for delay; do
		echo "duplicate -3600 -3600 $delay $copies_of -"
	done
}
# shellcheck disable=SC2120 # of its options most calls need none
ask() {	# ask [OPTION...] <events: in a fresh ledger
	rm -rf L
	event_write L
	db 0 "$title" --json gaps "$@"
}

# Nothing is there.
db 0 'no ledger' gaps
line 'Nothing is known of any delivery: the history is empty.' 'no ledger: it says so'
is "$(ls -d L 2>ls.err)" '' 'no ledger: none is made'
db 0 'no ledger, JSON' --json gaps
json 'd["since"], d["complete_since"], d["deliveries"], d["copies"], d["hops"]' '(None, None, 0, 0, [])' 'no ledger, JSON: nothing'
db 0 'no ledger, a page' gaps --html -
ok 'no ledger, a page: it says so' grep -q 'Nothing is known of any delivery yet' out
db 69 'ledger = none' -l none gaps
says 'there is no ledger \(ledger = none\) that could have a history' 'ledger = none: it says so'
db 0 'help' gaps --help
prints '^usage: dedupdb \[options\] gaps \[--since=TIME\] \[--host=NAME\] \[--json\] \[--html=FILE\]$' 'help: how to use it'
for wrong in x '--since yesterday' --since --html --bogus '--html=' '--host='; do
	# shellcheck disable=SC2086 # two words
	db 64 "gaps $wrong" gaps $wrong
	is "$(lines err)" 1 "gaps $wrong: one line"
done
db 64 'two outputs' --json gaps --html -
says "can't both go to standard output" 'two outputs: it says so'

# Deliveries without copies.
message 1 >m
lda <m
lda <<EOT
Message-ID: <2@example.org>
Date: now

x
EOT
db 0 'no copies' gaps
matches "$(cat out)" '^No copies since 20[-0-9T:+]* \([0-9]+s\): 2 deliveries\.$' 'no copies: it says since when'
is "$(lines out)" 1 'no copies: nothing else'
db 0 'no copies, --since' gaps --since @1
matches "$(cat out)" '^No copies since 20[-0-9T:+]* \([0-9]+s\): 2 deliveries\.$' 'no copies, --since before all: since the oldest event'
db 0 'no copies, --since' gaps --since 2100-01-01
matches "$(cat out)" '^No copies since 2100-01-01T00:00:00\+00:00 \(0s\): 0 deliveries\.$' 'no copies, --since in the future'

# What a delivery finds: a copy from the gap, our own MTA's, and a list's.
fresh
way() {	# way QUEUE-ID MINUTES:SECONDS: a message and its two hops
	printf 'Received: from out.example.com (out.example.com [192.0.2.7]) by mx.example.org (Postfix)\n\twith ESMTPS id %s;' "$1"
	printf ' Fri, 20 Nov 2026 12:%s +0000\n' "$2"
	printf 'Received: from [10.1.2.3] (dsl.example.com [198.51.100.9]) by out.example.com (Postfix)\n\twith ESMTPSA id 4XaA;'
	printf ' Fri, 20 Nov 2026 12:00:00 +0000\n'
	message way
}
way 4F2A 00:05 >first
way 8B1C 05:17 >copy
lda -o trusted-hosts=mx.example.org <first
lda -o trusted-hosts=mx.example.org <copy
lda -o trusted-hosts=mx.example.org <first
db 0 'of deliveries' --json gaps
json '[(h["sender"], h["receiver"], h["copies"], h["cause"], h["sure"], h["newest"][0]["queue_id"]) for h in d["hops"]]' \
	"[('mx.example.org', '', 1, 'retry', 1, ''), ('out.example.com', 'mx.example.org', 1, 'no-reply', 1, '8B1C')]" \
	'of deliveries: the very hops'
json 'd["hops"][1]["delay"], d["hop_unknown"], d["deliveries"]' \
	"({'known': 1, 'shortest': 312, 'median': 312, 'longest': 312}, 0, 1)" 'of deliveries: the delay'

# Nobody is blamed on the word of hosts that need not be believed.
title='a guess'
for proof in 2 130; do
	ask <<EOT
delivered -9000 0 none 0 - - -
$(copies $proof out.example.com mx.example.net 305)
EOT
	db 0 "a guess: $proof" gaps
	is "$(tr -s ' \n' '  ' <out | grep -c '4\.5\.3\.2\.6; if what these hosts say is true\.')" $((proof == 2)) "a guess: $proof, who is blamed" ||
		diag "$(cat out)"
done

# The report, line by line.
title='the report'
ask <<EOT
delivered -90000 0 none 0 - - -
delivered -9000 0 none 0 - - -
helped -8000 -8090 90 129 mx.example.org - -
$(copies 130 out.example.com mx.example.org 305 301 330 299)
$(copies 130 out.example.com mx.example.org 2000 | sed 's/ -$/ 4F2A1/')
$(copies 3 '[192.0.2.1]' mx.example.org 31 none)
duplicate -50 -60 none 0 - - -
EOT
json '[d[k] for k in ("ledgers", "events", "deliveries", "copies", "hop_unknown", "host")]' '[1, 11, 3, 9, 1, None]' 'the report: how many'
json '[(h["sender"], h["receiver"], h["copies"], h["cause"], h["timeout"], h["sure"]) for h in d["hops"]]' \
	"[('out.example.com', 'mx.example.org', 5, 'timeout', 300, 5), ('[192.0.2.1]', 'mx.example.org', 2, 'break', None, 0), \
('mx.example.org', '', 1, 'retry', None, 1)]" 'the report: hops, the most frequent first'
json '[h["delay"] for h in d["hops"][:2]]' "[{'known': 5, 'shortest': 299, 'median': 305, 'longest': 2000}, \
{'known': 1, 'shortest': 31, 'median': 31, 'longest': 31}]" 'the report: delays'
one '["within_300"], d["hops"][0]["within_600"]' '(1, 4)' 'the report: who did not wait'
json '[(b["from"], b["copies"]) for b in d["histogram"] if b["copies"]]' '[(30, 1), (90, 1), (180, 1), (300, 3), (1800, 1)]' \
	'the report: the histogram'
export LC_ALL=C
db 0 'the report as text' gaps
sed 1,2d out >rest
cat >wanted <<'EOT'

COPIES  MEDIAN   RANGE              SENDER -> RECEIVER
     5  5m 5s    4m 59s - 33m 20s   out.example.com -> mx.example.org
        cause   the sender gives up waiting for the reply after 5 minutes at
                most, and tries again: 4 of 5 delays are just over that
        so      4 of 5 copies came within 10 minutes: there the sender lost the
                connection, or did not wait the 10 minutes of RFC 5321,
                4.5.3.2.6, and in 1 case not even the 5 minutes of RFC 1047.
        known   the older hops are the same, then the receiver accepted it
                twice; this is sure
     2  31s      31s                [192.0.2.1] -> mx.example.org
        cause   the connection broke between the final dot and the reply, or two
                machines of a pool sent it
        so      1 of 2 copies came within 10 minutes: there the sender lost the
                connection, or did not wait the 10 minutes of RFC 5321,
                4.5.3.2.6, nor the 5 minutes of RFC 1047; unless it was sent
                twice on purpose.
        known   the same sender at the first hop; nothing older to compare, so
                it may also have been sent twice; not sure, since no trusted
                host says so
     1  1m 30s   1m 30s             mx.example.org -> (this mailbox)
        cause   our own MTA handed it over again: a crash, a time limit, an exit
                status that it did not get, or a second address of this mailbox
        known   both copies came by the same hops; this is sure

Delays of 7 copies that were handed over again, by how long after the first one

    30s |##################### 1
    45s |
        ----------------------------------------------------------------- 1 min
     1m |
 1m 30s |##################### 1
        ----------------------------------------------------------------- 2 min
     2m |
     3m |##################### 1
        ------------------------------------------------------- 5 min: RFC 1047
     5m |############################################################### 3
     7m |
        ------------------------------------------------------ 10 min: RFC 5321
    10m |
    15m |
    20m |
    30m |##################### 1
EOT
same rest wanted 'the report as text: every line'
matches "$(head -n 1 out)" '^Since 20[-0-9T:+]* \(1d 1h\): 9 copies, 3 deliveries\.$' 'the report as text: the period'
line 'The hop is not known of 1: there is no trace of the first copy.' 'the report as text: without a hop'
LC_ALL=C.UTF-8 db 0 'in Unicode' gaps
ok 'in Unicode: the same numbers' grep -qF '    30s │█████████████████████ 1' out
if script -qec true /dev/null >script.out 2>&1; then
	script -qec "stty cols 50; '$BUILD/dedupdb' -l '$ledger' gaps" /dev/null >out
	tr -d '\r' <out | awk '/^        |\|/ && length > 50' >long
	is "$(cat long)" '' 'a terminal of 50 columns: neither words nor bars are wider' || diag "$(cat out)"
	script -qec "stty cols 100; '$BUILD/dedupdb' -l '$ledger' gaps" /dev/null | tr -d '\r' >out
	ok 'a terminal of 100 columns: the bars fill it' grep -Eq '^ +5m \|#{83} 3$' out
else
	skip 'a terminal of 50 columns' 'no pseudo-terminal here'
fi

# --since, --host, and a history that was written over.
db 0 '--since' --json gaps --since 2h
json 'd["deliveries"], d["copies"]' '(0, 8)' '--since: what came before does not count'
db 0 '--since, text' gaps --since 2h
matches "$(head -n 1 out)" '^Since .* \(2h\): 8 copies, 0 deliveries\.$' '--since, text: the period'
db 0 '--host' --json gaps --host EXAMPLE.com
json 'd["host"], d["deliveries"], d["copies"], d["hop_unknown"], len(d["hops"])' "('EXAMPLE.com', 3, 5, 0, 1)" '--host: a domain'
db 0 '--host' --json gaps --host ample.com
json 'd["copies"], d["hops"]' '(0, [])' '--host: a part of a name is none'
db 0 '--host, text' gaps --host '[192.0.2.1]'
matches "$(head -n 1 out)" ': 2 copies, 3 deliveries; only hops of \[192\.0\.2\.1\]\.$' '--host, text: it says so'
rm -rf L
for i in 1 2 3 4 5; do
	message $i >m
	lda -o history=3 <m
done
db 0 'a history that was written over' gaps --since 2001-01-01
matches "$(head -n 1 out)" '^No copies since 20.*: 3 deliveries\.$' 'a history that was written over: what is there'
is "$(grep -c 'not all is known' out)" 0 'a history that was written over: the period is that of what is known'
title='clocks that were set'
rm -rf L
printf 'delivered -%s 0 none 0 - - -\n' 5000 4000 3000 2000 | event_write L
python3 -c '
ring = open("L/events", "r+b"); ring.seek(0); ring.write(bytes(512))'
db 0 'without the first event' --json gaps
json 'd["complete_since"] == d["since"], d["events"]' '(True, 3)' 'without the first event: known from the second one on'

# Causes, each at its limits. Half of the delays, and more than one, make a timeout.
cause() {	# cause WANTED PROOF DELAY...
	wanted=$1 proof=$2
	shift 2
	title="proof $proof, delays $*"
	copies "$proof" a b "$@" >events
	ask <events
	one '["cause"], d["hops"][0]["timeout"]' "$wanted" "$title: the cause"
}
for mark in 60 120 300 600; do
	cause "('timeout', $mark)" 2 $((mark - 2)) $((mark + mark / 10))
	below=no-reply
	[ $mark != 60 ] || below='break'
	cause "('$below', None)" 2 $((mark - 3)) $((mark - 3))
	cause "('no-reply', None)" 3 $((mark + mark / 10 + 1)) $((mark + mark / 10 + 1))
done
cause "('no-reply', None)" 2 300
cause "('timeout', 300)" 2 300 301 2000 4000
cause "('no-reply', None)" 2 300 301 2000 4000 5000
cause "('timeout', 600)" 2 120 121 600 601 602
cause "('break', None)" 2 0
db 0 'one short delay' gaps
ok 'one short delay: what it shows' grep -q ' so  *The copy came within 10 minutes: the sender lost ' out
cause "('break', None)" 2 59
cause "('no-reply', None)" 2 61
cause "('no-reply', None)" 2 none
db 0 'no delay' gaps
ok 'no delay: it says so' grep -Fqx '     1  -        not known          a -> b' out
cause "('no-reply', None)" 2 -5
one '["delay"], d["hops"][0]["within_600"]' '(None, 0)' 'a negative delay is none'
cause "('retry', None)" 1 300 301
cause "('fork', None)" 4 300 301
cause "('loop', None)" 5 300 301
cause "('separate', None)" 6 300 301
json 'sum(b["copies"] for b in d["histogram"])' 0 'a histogram has no delays of separate copies'
title='numbers that no version knows'
copies 7 a b 1 >events
ask <events
json 'd["copies"], d["hop_unknown"], d["hops"]' '(1, 1, [])' 'a proof that no version knows: no hop'
title='medians'
copies 2 a b 10 20 31 40 >events
ask <events
one '["delay"]' "{'known': 4, 'shortest': 10, 'median': 25, 'longest': 40}" 'an even number: the middle of two'
title='the same chain'
echo 'helped -100 -700 none 1 mx - -' >events
ask <events
one '["delay"]["median"]' 600 'our own MTA: it came again when it came'
title='the two waits'
copies 2 a b 299 300 599 600 >events
ask <events
one '["within_300"], d["hops"][0]["within_600"]' '(1, 3)' 'a delay as long as the wait is none that is too short'

# Every bucket, from both sides.
title='buckets'
for edge in 1 2 3 5 7 10 15 20 30 45 60 90 120 180 300 420 600 900 1200 1800 2700 3600 5400 7200 10800 18000 25200 36000 54000 86400 \
	129600 172800 259200 432000 604800; do
	copies 2 a b $((edge - 1)) $edge
done >events
ask <events
json '[b["copies"] for b in d["histogram"]] == [1] + 34 * [2] + [1]' True 'buckets: a delay on an edge is in the upper one'
json '[b["below"] for b in d["histogram"]][:-1] == [b["from"] for b in d["histogram"]][1:], d["histogram"][-1]["below"]' '(True, None)' \
	'buckets: each begins where the one before ends'
db 0 'buckets as text' gaps
is "$(grep -c '^ *[0-9dhms ]* |' out)" 36 'buckets as text: every one'
ok 'buckets as text: one copy shows beside two' grep -Eq '^     7d \|#+ 1$' out

# What counts as a copy, and as a delivery.
title='kinds'
for kind in delivered duplicate helped tagged filed recovered dropped forgotten imported unrecorded; do
	echo "$kind -9 -99 90 2 $kind b Q"
	echo "$kind -9 -99 none 0 - - -"
done >events
ask <events
json 'sorted(h["sender"] for h in d["hops"])' "['delivered', 'duplicate', 'filed', 'helped', 'tagged']" 'kinds: those with a copy'
json 'd["deliveries"], d["copies"], d["hop_unknown"]' '(8, 9, 4)' 'kinds: how many'

# The newest of each hop.
title='the newest'
for i in 3 9 1 7 5 2 8; do
	echo "duplicate -${i}000 -9999 $i 130 a b Q$i"
done >events
ask <events
one '["copies"], [(n["queue_id"], n["delay"], n["proof"], n["sure"]) for n in d["hops"][0]["newest"]]' \
	"(7, [('Q1', 1, 'queue-id', True), ('Q2', 2, 'queue-id', True), ('Q3', 3, 'queue-id', True), ('Q5', 5, 'queue-id', True), \
('Q7', 7, 'queue-id', True)])" 'the newest: five, with their queue ids'

# One hop, several proofs; and one pair of hosts, several ways.
title='proofs'
{ copies 2 a b 1000; copies 131 a b 2000; copies 4 a b 5; } >events
ask <events
json '[(h["cause"], h["copies"], h["sure"], [(p["proof"], p["copies"]) for p in h["proofs"]]) for h in d["hops"]]' \
	"[('no-reply', 2, 1, [('queue-id', 1), ('sender', 1)]), ('fork', 1, 0, [('fork', 1)])]" 'proofs: a fork is a hop of its own'
db 0 'proofs as text' gaps
tr -s ' \n' ' ' <out >flat
ok 'proofs as text: how many of each' grep -qF 'accepted it twice (1); the same sender at the first hop;' flat
ok 'proofs as text: how many are sure' grep -qF 'so it may also have been sent twice (1); sure for 1 of 2 ' flat

# Numbers that no clock has.
title='any numbers'
for time in 9223372036854775807 @-9223372036854775808 0; do
	for first in 9223372036854775807 @-9223372036854775808 0; do
		for gap in 9223372036854775807 -9223372036854775807 none; do
			echo "duplicate $time $first $gap 129 a b Q"
			echo "duplicate $time $first $gap 2 c d Q"
		done
	done
done >events
ask <events
json 'd["since"][:8], d["since"] == d["complete_since"], d["copies"], [h["delay"]["longest"] for h in d["hops"]]' \
	"('@-922337', True, 54, [9223372036854775807, 9223372036854775807])" 'any numbers: they are told'
db 0 'any numbers, text' gaps
db 0 'any numbers, a page' gaps --html page.html

# Thousands of events, of a thousand hops. Equal ones keep one order.
title='thousands'
python3 -c '
for i in range(20000):
    print("duplicate", -i, -i - 9, i % 4000, 2, f"s{i % 997}.example", "mx", f"Q{i}")
print("duplicate -1 -9 1 2 s500.example mx Q\n" * 2)' >events
ask <events
json 'd["copies"], len(d["hops"]), d["hops"][0]["sender"], d["hops"][0]["copies"]' "(20002, 997, 's500.example', 22)" 'thousands: counted'
json '(n := [h["copies"] for h in d["hops"]]) == sorted(n, reverse=True)' True 'thousands: in order'
json 'sum(b["copies"] for b in d["histogram"])' 20002 'thousands: the histogram has all'
cp out before
db 0 'thousands again' --json gaps
python3 -c 'import json; a, b = (json.load(open(f)) for f in ("before", "out")); a["until"] = b["until"]; assert a == b' 2>why
result $? 'thousands again: the same' || diag "$(tail -n 1 why)"
db 0 'thousands as a page' gaps --html page.html
is "$(grep -c '<h3>s' page.html)" 100 'thousands as a page: a hundred hops'
ok 'thousands as a page: a name breaks at its dots' grep -qF '>s500.<wbr>example</th>' page.html
ok 'thousands as a page: the rest is added up' grep -Eq 'And 1[0-9]* more at 897 other hops' page.html

# Names that somebody chose: nothing of them is a control, markup or broken JSON.
title='hostile names'
evil='\x1b[31m \xff\xfe \x00 \xc3\xa9\xc2\x9b\xe2\x80\xae <script>alert(1)</script> "\x27&amp;\x22><img\x20src=x> \\ %s%n \x0a\x0d\x09 \x7f'
{
	for name in $evil; do
		echo "duplicate -9 -99 20 2 $name mx.example.org $name"
		echo "duplicate -9 -99 20 2 mx.example.org $name $name"
	done
	python3 -c '
import random
random.seed(4)
for i in range(300):
    name = "".join(f"\\x{random.randrange(1, 256):02x}" for _ in range(64))
    print("duplicate -9 -99", i, random.randrange(256), name, name[:120], name[:144])'
} >events
ask <events
json 'd["copies"], d["copies"] == d["hop_unknown"] + sum(h["copies"] for h in d["hops"])' "($(lines events), True)" \
	'hostile names: each is counted'
json '[h["sender"] for h in d["hops"] if "script" in h["sender"]][0]' '<script>alert(1)</script>' 'hostile names: JSON has it as it is'
LC_ALL=C.UTF-8 db 0 'hostile names as text' gaps
is "$(LC_ALL=C tr -d '\n -~\342\224\202\226\210-\217\204' <out | wc -c)" 0 'hostile names as text: no byte of them gets through'
db 0 'hostile names as a page' gaps --html page.html
is "$(LC_ALL=C tr -d '\n -~' <page.html | wc -c)" 0 'hostile names as a page: printable ASCII only'
is "$(grep -Eic '<(script|img|iframe|link|object)' page.html)" 0 'hostile names as a page: no element of theirs'
ok 'hostile names as a page: as text' grep -qF '>&#60;script&#62;alert(1)&#60;/script&#62;<' page.html
if command -v tidy >/dev/null; then
	tidy -errors -q page.html >why 2>&1
	is "$? $(cat why)" '0 ' 'hostile names as a page: it is sound HTML'
	db 0 'a host of hostile name' gaps --html page.html --host '"><script>'
	tidy -errors -q page.html >why 2>&1
	is "$? $(cat why)" '0 ' 'a host of hostile name: it is sound HTML'
else
	skip 'hostile names as a page: it is sound HTML' 'tidy is not installed'
fi
db 0 'a host of hostile name' gaps --html - --host '"><script>'
is "$(grep -c '<script' out)" 0 'a host of hostile name: no element of its'
is "$(wc -c <err)" 0 'nothing is said on standard error'

# The file: whole or not at all, in the place of a file only, with the caller's permissions.
title='one copy'
copies 2 a b 20 >events
ask <events
umask 022
db 0 'a new file' gaps --html new.html
is "$(stat -c %a new.html)" 644 'a new file: others may read it'
is "$(wc -c <out)" 0 'a new file: nothing on standard output'
umask 027
rm new.html
db 0 'another umask' gaps --html new.html
is "$(stat -c %a new.html)" 640 'another umask: it is kept to'
umask 022
for mode in 600 664 0; do
	chmod $mode new.html
	db 0 "a file of mode $mode" gaps --html new.html
	is "$(stat -c %a new.html)" $mode "a file of mode $mode: it is kept"
done
db 0 'both' --json gaps --html new.html
json 'd["copies"]' "$(lines events)" 'both: JSON on standard output, and the page'
db 0 'standard output' gaps --html -
tail -n 1 out >last
is "$(cat last)" '</html>' 'standard output: the whole page'
echo precious >other
ln -s other link.html
db 73 'a symbolic link' gaps --html link.html
says 'write link\.html: it is a symbolic link; name the file that it leads to' 'a symbolic link: it says so'
is "$(cat other) $(readlink link.html)" 'precious other' 'a symbolic link: nothing is changed'
ln -s nowhere dangling.html
db 73 'a dangling link' gaps --html dangling.html
mkfifo fifo.html
mkdir folder.html
for what in fifo folder; do
	db 73 "a $what" gaps --html $what.html
	says "write $what\.html: it is no regular file" "a $what: it says so"
done
db 73 'no such folder' gaps --html nowhere/page.html
says 'write nowhere/page\.html: No such file or directory' 'no such folder: it says so'
mkdir shut
echo old >shut/page.html
chmod 500 shut
db 73 'no permission' gaps --html shut/page.html
is "$(cat shut/page.html)" old 'no permission: the old page is there'
chmod 700 shut
if can_trace; then
	run='strace -o trace.out -e trace=write -e inject=write:error=ENOSPC:when=2+'
	db 73 'a full disk' gaps --html shut/page.html
	run='strace -o trace.out -e trace=fsync -e inject=fsync:error=EIO'
	db 73 'a failing disk' gaps --html shut/page.html
	says 'write shut/page\.html: Input/output error' 'a failing disk: it says so'
	run='strace -o trace.out -e trace=?rename,?renameat,?renameat2 -e inject=?rename,?renameat,?renameat2:error=EIO'
	db 73 'a failing rename' gaps --html shut/page.html
	run='strace -o trace.out -e trace=?rename,?renameat,?renameat2 -e inject=?rename,?renameat,?renameat2:signal=KILL'
	db 137 'killed before the rename' gaps --html shut/page.html
	run=
	is "$(cat shut/page.html)" old 'after all of these: the old page is there'
	is "$(find shut -type f | wc -l | tr -d ' ')" 2 'only the killed one has left something'
fi
plan
