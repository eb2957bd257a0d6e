#!/bin/sh
# What the ledger remembers of deliveries, duplicates and an administrator's work, and how dedupdb why and show tell it.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

db() {	# db CODE NAME ARGUMENT...
	want=$1 title=$2
	shift 2
	"$BUILD/dedupdb" -o "mailbox=$mailbox" -o "ledger=$ledger" "$@" >out 2>err
	is $? "$want" "$title: exit $want" || diag "$(head -n 5 out err)"
}
prints() { ok "$2" grep -Eq -e "$1" out || diag "$(head -n 20 out)"; }
json() { is "$(python3 -c "import json; d = json.load(open('out')); print($1)" 2>&1)" "$2" "$3"; }	# json EXPRESSION WANTED NAME
actions() {	# actions WANTED NAME ARGUMENT...: of the one message that why finds
	want_actions=$1 about=$2
	shift 2
	db 0 "$about" --json why "$@"
	json '" ".join(e["action"] for m in d["messages"] for e in m["events"])' "$want_actions" "$about: what was done"
}
slots() { echo $(($(stat -c %s L/events) / 512)); }

message 1 >m1
message 2 >m2

# Nothing yet.
db 1 'why without a ledger' why '<1@example.org>'
says "nothing is known of <1@example.org>: the ledger's history is empty" 'why without a ledger: it says so'
is "$(find . -name L)" '' 'and makes none'
db 69 'why with ledger = none' -l none why '<1@example.org>'
db 64 'why of nothing' why
db 64 'why of two' why a b
db 64 'why of an empty id' why ''

# A message and its copies.
does delivered 'a message' <m1
does duplicate 'its copy' <m1
tag=$(sed -n 's/.*fp=\([0-9a-f]*\).*/\1/p' log)
does delivered 'another message' <m2
actions 'delivered duplicate' 'why' '<1@example.org>'
json 'd["messages"][0]["message_id"], d["messages"][0]["verdict"], d["history"]["events"], d["history"]["at_most"]' \
	'<1@example.org> duplicate 3 8192' 'why: the rest'
json 'd["messages"][0]["events"][0]["size"]' "$(wc -c <m1 | tr -d ' ')" 'why: the size'
fp=$(python3 -c 'import json; print(json.load(open("out"))["messages"][0]["fingerprint"])')
is "$(echo "$fp" | cut -c 1-16)" "$tag" 'why: the fingerprint of the log'
actions 'delivered duplicate' 'why without the <>' 1@example.org
actions 'delivered duplicate' 'why of a fingerprint' "$tag"
db 0 'why as text' why '<1@example.org>'
prints '^message_id  *<1@example\.org>$' 'why as text: the Message-ID'
prints "^fingerprint  *$fp\$" 'why as text: the fingerprint'
prints '^  20[-0-9T:+]* delivered: [0-9]* bytes$' 'why as text: delivered'
prints '^  20[-0-9T:+]* duplicate: another copy came [0-9]+s after the first one and was discarded; copied here: the MTA handed it over again, [0-9]+ s after the first time$' \
	'why as text: discarded'
prints '^why  *a copy was delivered at .*another one is discarded$' 'why as text: what would happen'
prints '^  oldest  *20.* ago\)$' 'why as text: how far back'
db 1 'why of one that never came' why '<3@example.org>'
says "nothing is known of <3@example.org>: the ledger's history goes back to 20.* 'dedupdb show FILE'" 'it says how far back it knows'
is "$(cat out)" '' 'and prints nothing'
db 1 'the same as JSON' --json why '<3@example.org>'
json 'd["messages"], d["history"]["events"]' '[] 3' 'the same as JSON: it is'
db 1 'a part of an id is another id' why 'example.org'

# show tells the same.
db 0 'show of a file' show m1
prints '^  20[-0-9T:+]* duplicate: ' 'show of a file: the events'
db 0 'show of a file as JSON' --json show m1
json '[e["action"] for e in d["events"]], d["verdict"]' "['delivered', 'duplicate'] duplicate" 'show of a file as JSON: the events'
db 0 'show of a fingerprint as JSON' --json show "$fp"
json '[e["action"] for e in d["records"][0]["events"]]' "['delivered', 'duplicate']" 'show of a fingerprint as JSON: the events'
message 4 >unseen
db 0 'show of a new message' show unseen
prints '^events  *none$' 'show of a new message: no events'
db 0 'show without a ledger' -l none show m1
is "$(grep -c '^events' out)" 0 'show without a ledger: nobody could know'

# What is done by hand.
db 0 'forget' forget "$fp"
does delivered 'a copy after that' <m1
actions 'delivered duplicate forgotten delivered' 'why after forget' '<1@example.org>'

# Copies that are kept.
does tagged 'a copy with a tag' -o on-duplicate=tag <m2
does filed 'a copy in a folder' -o on-duplicate=folder:Copies <m2
actions 'delivered tagged filed' 'why of copies that are kept' '<2@example.org>'
json 'd["messages"][0]["events"][2]["folder"]' Copies 'why of copies that are kept: the folder'
db 0 'stat' --json stat
json 'd["duplicates"]' 1 'only what was discarded is counted as that'

# One Message-ID on two messages, as a mailing list makes them.
printf 'List-Id: <l.example.org>\n' | cat - m2 >list
does delivered "a list's copy" <list
db 0 'why of both' --json why '<2@example.org>'
json '[[e["action"] for e in m["events"]] for m in d["messages"]]' "[['delivered', 'tagged', 'filed'], ['delivered']]" 'why of both: each'

# Bytes that a terminal must not see, and more than there is room for.
printf 'Message-ID: <bad\033[31m\377@example.org>\nDate: now\n\nx\n' >evil
does delivered 'an evil Message-ID' <evil
evil_fp=$(sed -n 's/.*fp=\([0-9a-f]*\).*/\1/p' log)
db 0 'why of it' why "$evil_fp"
prints '^message_id  *<bad\\x1b\[31m\\xff@example\.org>$' 'why of it: escaped'
db 0 'why of it, as typed' why "$(printf '<bad\033[31m\377@example.org>')"
long=$(printf '%0300d' 5)@example.org
printf 'Message-ID: <%s>\nDate: now\n\nx\n' "$long" >long
does delivered 'a long Message-ID' <long
actions delivered 'why of it' "$long"
json 'd["messages"][0]["message_id_cut"], len(d["messages"][0]["message_id"])' 'True 180' 'why of it: cut'
db 1 'why of another long one' why "$long.uk"
printf 'Date: Fri, 20 Nov 2026 13:00:00 +0000\n\nno id\n' >anon
does delivered 'no Message-ID' <anon
db 1 'why of <>' why '<>'

# A delivery that died. Only the fingerprint ties what recover did to the message.
if can_trace; then
	fresh
	message 1 >m
	run=$(kill_at "$RENAME" 1 "$D/M/tmp")
	lda <m
	run=
	does helped 'a copy after a killed delivery' <m
	actions helped 'why: helped' '<1@example.org>'
	message 2 >m
	run=$(kill_at "$RENAME" 1 "$D/M/tmp")
	lda <m
	run=
	db 0 'recover' recover
	does duplicate 'a copy after recover' <m
	actions 'recovered duplicate' 'why: recovered' '<2@example.org>'

	# Killed when the event is written and the header does not know it yet: the next one does not take its place.
	run=$(kill_at pwrite64 4 "$D/L/lock")
	lda <m
	run=
	is "$rc" 137 'killed after a duplicate was written down'
	does duplicate 'and the same once more' <m
	actions 'recovered duplicate duplicate duplicate' 'why: all of them' '<2@example.org>'

	# What it costs a delivery: open, write, close; nothing is read, nothing is synced.
	for what in delivered duplicate; do
		message 3 >m
		run='strace -y -o trace.out'
		does "$what" "$what, traced" <m
		run=
		is "$(grep -E 'L/events' trace.out | sed 's/(.*//' | tr '\n' ' ')" 'openat pwrite64 close ' "$what: three system calls"
	done
	# The ledger fails where nobody could say what was decided, before it, and after it.
	while read -r calls which words; do
		message "$words" >m
		run="strace -o trace.out -P $D/L/env/$which -e trace=$calls -e inject=$calls:error=EIO:when=1+"
		does delivered "$words: EIO" <m
		run=
		ok "$words: EIO: the log says so" grep -q ' ledger=' log
		actions unrecorded "$words: EIO" "<$words@example.org>"
		json '["first" in e for m in d["messages"] for e in m["events"]]' '[False]' "$words: EIO: nothing is told of a first copy"
	done <<-EOF
		openat ledger.db look-up
		fsync,fdatasync log.0000000001 decision
	EOF
	for error in EACCES ENOSPC EMFILE; do
		message "$error" >m
		run="strace -o trace.out -P $D/L/events -e trace=openat,pwrite64 -e inject=openat,pwrite64:error=$error"
		does delivered "$error on the history" <m
		run=
		does duplicate "$error on the history: the copy" <m
		actions duplicate "$error on the history: it is lost" "<$error@example.org>"
	done
else
	skip 'deliveries that died' 'strace can not trace here'
fi

# It is bounded.
fresh
for i in 1 2 3 4 5; do
	message "$i" >m
	lda -o history=3 <m
done
is "$(slots)" 3 'history = 3: three slots'
db 1 'the oldest one is gone' why '<2@example.org>'
actions delivered 'the newest one is there' '<5@example.org>'
lda -o history=0 <m
is "$(slots)" 3 'history = 0: nothing is written'
fresh
exits 0 'history = 0 from the beginning' -o history=0 <m
is "$(ls L)" 'env
lock' 'history = 0: no file'
db 1 'why with history = 0' -o history=0 why '<5@example.org>'
says 'history is empty \(history = 0\)' 'why with history = 0: it says why'
defers "history: '65537' is not a value for it: allowed: a number of events, 0 to 65536" 'too many' -o history=65537 <m
for value in '' -1 1k 0x10 99999999999999999999 ' 5'; do
	defers 'history: ' "history = '$value'" -o "history=$value" <m
done

# Whatever lies there, deliveries do not care.
strange() {	# strange NAME ACTIONS: of two deliveries of a new message, those that are remembered
	message "$1" >m
	does delivered "$1 for a history" <m
	does duplicate "$1 for a history: the copy" <m
	actions "$2" "$1 for a history" "<$1@example.org>"
}
fresh
lda <m
head -c 3000 /dev/urandom >L/events
strange noise 'delivered duplicate'
rm L/events && mkfifo L/events
strange fifo duplicate
echo precious >other && rm L/events && ln -s "$D/other" L/events
strange link duplicate
is "$(cat other)" precious 'what the link led to is as it was'
chmod 0 L/events
message shut >m
does delivered 'no permission for the history' <m
db 69 'why without permission' why '<shut@example.org>'
rm -f L/events && mkdir L/events && touch L/events/x
message folder >m
does delivered 'a folder for a history' <m
db 69 'why of a folder' why '<folder@example.org>'
says 'its events is no regular file; remove it' 'why of a folder: what to do'
db 0 'stat beside a folder' stat
rm -r L/events
strange gone 'delivered duplicate'
plan
