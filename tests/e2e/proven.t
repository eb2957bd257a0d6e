#!/bin/sh
# duplicates = proven: what a forged copy can't do, what still is a duplicate, and that each copy comes once.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

json() { is "$(python3 -c "import json; d = json.load(open('out')); print($1)" 2>&1)" "$2" "$3"; }	# json EXPRESSION WANTED NAME
text() { printf 'Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <1@example.com>\nSubject: s\n\nThe same text.\n'; }
hop() {	# hop SENDER ADDRESS RECEIVER ID TIME
	printf 'Received: from %s (%s [%s])\n\tby %s (Postfix) with ESMTP id %s\n\tfor <joe@example.org>; Fri, 20 Nov 2026 %s +0000\n' \
		"$1" "$1" "$2" "$3" "$4" "$5"
}
# The real one: Ann, her relay, the list, us. The list's hop is known to everybody who is on it.
older() {
	hop relay.example.com 192.0.2.7 lists.example.net L1 12:00:02
	hop laptop.example.com 198.51.100.9 relay.example.com R1 12:00:01
}
{ hop lists.example.net 192.0.2.99 mx.example.org M1 12:00:05; older; text; } >real
{ hop lists.example.net 192.0.2.99 mx.example.org M2 12:10:17; older; text; } >gap
{ hop evil.example 198.51.100.66 mx.example.org E1 12:00:03; text; } >forged
{ hop evil.example 198.51.100.66 mx.example.org E1 12:00:03; older; text; } >forged_older
proven='-o duplicates=proven'
held() {	# messages in the mailbox
	case $mailbox in
	mbox:*) grep -c '^X-Dedup-Id: ' box ;;
	*) copies ;;
	esac
}
goes() {	# goes ACTION COPIES FILE NAME OPTION...
	action=$1 wanted=$2 file=$3 about=$4
	shift 4
	# shellcheck disable=SC2086 # several words
	does "$action" "$about" $proven "$@" <"$file"
	is "$(held)" "$wanted" "$about: $wanted in the mailbox"
}
says_of() { matches "$(cat log)" "$1" "$2"; }	# says_of PATTERN NAME: the log line
killed() {	# killed FILE OPTION...: a delivery that dies after its decision, before anybody can see it
	file=$1
	shift
	case $mailbox in
	mbox:*) run=$(kill_at write 1 "$D/box") ;;
	*) run=$(kill_at "$RENAME" 1 "$D/M/tmp") ;;
	esac
	# shellcheck disable=SC2086
	lda $proven "$@" <"$file"
	run=
	is "$rc" 137 "$file: killed"
}

for mailbox in "maildir:$D/M" "mbox:$D/box"; do
	kind=${mailbox%%:*}

	# A forged early copy suppresses nothing, and nothing comes twice.
	fresh
	goes delivered 1 forged "$kind: forged, early"
	goes delivered 2 real "$kind: the real one"
	says_of ' first=[^ ]* age=[0-9]* proof=separate sure=no$' "$kind: the real one: the log says why it was no duplicate"
	goes duplicate 2 real "$kind: the real one, handed over again"
	says_of ' hop=mx.example.org->dedup-lda gap=[0-9]*s proof=same-chain sure=yes$' "$kind: handed over again: the log"
	goes duplicate 2 forged "$kind: the forged one, handed over again"
	db 0 "$kind: list" list --json
	is "$(lines out)" 2 "$kind: two records"
	goes duplicate 2 gap "$kind: a copy of the real one, by a gap"
	says_of ' hop=lists.example.net->mx.example.org gap=612s proof=queue-id sure=yes$' "$kind: a copy of the real one: the log"
	# The control: with all, it does.
	fresh
	does delivered "$kind: forged, early, all" <forged
	does duplicate "$kind: the real one is suppressed with all" <real

	# Older hops that everybody on the list knows do not help it.
	fresh
	goes delivered 1 forged_older "$kind: forged older hops"
	goes delivered 2 real "$kind: the real one after forged older hops"
	says_of ' hop=lists.example.net->mx.example.org gap=2s proof=fork sure=yes$' "$kind: forged older hops: the log"

	# What is proved is a duplicate.
	fresh
	goes delivered 1 real "$kind: the first"
	goes duplicate 1 real "$kind: the same chain"
	goes duplicate 1 gap "$kind: a gap at our own MTA"
	says_of ' hop=lists.example.net->mx.example.org gap=612s proof=queue-id sure=yes$' "$kind: a gap: the log"

	# A record that expires takes nothing of the other with it.
	fresh
	goes delivered 1 forged "$kind: the first"
	ledger_edit "$D/L" age $((6 * 86400))
	goes delivered 2 real "$kind: separate, six days later"
	ledger_edit "$D/L" age $((2 * 86400))
	goes duplicate 2 real "$kind: the first one's record has expired"
	goes duplicate 2 gap "$kind: and a gap of the real one is one, too"
	ledger_edit "$D/L" age $((6 * 86400))
	goes delivered 3 real "$kind: so has its own"
	goes duplicate 3 real "$kind: again"
	goes delivered 4 forged "$kind: a record of the other, and of its own"

	# Deliveries that died.
	if can_trace; then
		fresh
		[ "$kind" != mbox ] || : >box
		killed forged
		goes delivered "$([ "$kind" = mbox ] && echo 1 || echo 2)" real "$kind: the real one after a forged one that died"
		db 0 "$kind: why" --json why '<1@example.com>'
		json '[(e["action"], e.get("proof")) for e in d["messages"][0]["events"]]' \
			"$([ "$kind" = mbox ] && echo "[('delivered', None)]" || echo "[('recovered', None), ('delivered', 'separate')]")" \
			"$kind: a forged one that died: the events"
		goes "$([ "$kind" = mbox ] && echo delivered || echo duplicate)" 2 forged "$kind: the retry of the forged one that died"
		goes duplicate 2 forged "$kind: the forged one, once more"
		goes duplicate 2 real "$kind: the real one again, after a forged one that died"
		fresh
		goes delivered 1 forged "$kind: the first"
		killed real
		goes "$([ "$kind" = mbox ] && echo delivered || echo helped)" 2 real "$kind: the retry of a separate one that died"
		goes duplicate 2 real "$kind: and again"
		fresh
		goes delivered 1 forged "$kind: the first"
		killed real
		db 0 "$kind: recover" -o duplicates=proven recover
		is "$(held)" "$([ "$kind" = mbox ] && echo 1 || echo 2)" "$kind: recover, for a separate one that died"
		goes "$([ "$kind" = mbox ] && echo delivered || echo duplicate)" 2 real "$kind: its retry after recover"
	else
		skip "$kind: deliveries that died" 'strace can not trace here'
	fi
done
mailbox=maildir:$D/M

# One of several separate copies.
fresh
for i in 1 2 3 4 5; do
	hop evil.example 198.51.100.$i mx.example.org E$i 12:00:0$i | cat - forged >forged$i
	goes delivered $i forged$i "forged copy $i"
done
goes delivered 6 real 'the real one after five'
goes duplicate 6 gap 'a gap of the real one after five'
goes duplicate 6 forged3 'the third one again'
if can_trace; then
	# The name of its file leads the sweeper to its record.
	fresh
	goes delivered 1 forged 'the first'
	killed real
	touch -d '100 hours ago' M/tmp/*
	chmod 500 M/new
	db 75 'recover can not publish' recover
	is "$(staged)" 1 'the file is kept, however old'
	chmod 700 M/new
	goes helped 2 real 'the next copy'
else
	skip 'the sweeper' 'strace can not trace here'
fi

# Exim writes down what the client's ident server says, and that could look like the real sender's address.
exim() { # exim SENDER ID TIME
	printf 'Received: from %s\n\tby mx.example.org with esmtp (Exim 4.96) id %s for joe@example.org; Fri, 20 Nov 2026 %s +0000\n' "$@"
}
{ exim '[198.51.100.66] (helo=evil ident=x@[192.0.2.99])' 1vLabc-000000001Bc-0aBc 12:00:03; older; text; } >forged_ident
{ exim '[192.0.2.99] (helo=lists.example.net)' 1vLabd-000000001Bd-0aBd 12:00:05; older; text; } >real_exim
{ exim '[192.0.2.99] (helo=lists.example.net)' 1vLabe-000000001Be-0aBe 12:10:05; older; text; } >gap_exim
fresh
goes delivered 1 forged_ident "an address in the client's ident"
goes delivered 2 real_exim 'the real one, by Exim'
goes duplicate 2 gap_exim 'a gap of it'

# Trust decides at another host's gap.
inner() { hop mx.example.org 203.0.113.1 store.example.org "$1" 12:20:00; }
{ inner S1; cat real; } >first
{ inner S2; cat gap; } >copy
fresh
goes delivered 1 first 'behind another host'
goes delivered 2 copy 'a gap at a host that nobody trusts'
fresh
goes delivered 1 first 'behind a trusted host' -o trusted-hosts=mx.example.org
goes duplicate 1 copy 'a gap at a trusted host' -o trusted-hosts=mx.example.org
# It must have been that host: an early copy with its hop, from elsewhere.
{ hop mx.example.org 198.51.100.66 store.example.org E1 12:20:00 | sed 's/(mx.example.org /(unknown /'; cat real; } >early
fresh
goes delivered 1 early "a trusted host's hop, forged" -o trusted-hosts=mx.example.org
goes delivered 2 copy 'the real one' -o trusted-hosts=mx.example.org

# Nothing is proved of what has no trace.
fresh
mkdir -p M/tmp M/new M/cur && cp real M/cur/1.a:2,S
db 0 'import' import M
goes delivered 2 real 'a copy of an imported message'
goes duplicate 2 real 'the same again'

# What becomes of what is proved.
fresh
goes delivered 1 real 'tag: the first' -o on-duplicate=tag
goes delivered 2 forged 'tag: a separate one' -o on-duplicate=tag
is "$(grep -l X-Dedup-Lda M/new/* | wc -l | tr -d ' ')" 0 'tag: a separate one has none'
goes tagged 3 gap 'tag: a proved one' -o on-duplicate=tag
is "$(grep -l X-Dedup-Lda M/new/* | wc -l | tr -d ' ')" 1 'tag: a proved one has it'
goes filed 4 real 'folder: a proved one' -o on-duplicate=folder:Copies
is "$(copies_in M/.Copies)" 1 'folder: there it is'
{ cat real && yes 'a line' | head -c 300000; } >large
{ cat forged && yes 'a line' | head -c 300000; } >large_forged
fresh
goes delivered 1 large_forged 'a large one, forged'
goes delivered 2 large 'a large one'
goes duplicate 2 large 'a large one again'
is "$(staged)" 0 'nothing is left in tmp/'

# What -n and the tools say.
fresh
goes delivered 1 forged 'the first'
exits 0 'dry run' -o duplicates=proven -n <real
ok 'dry run: it would be delivered' grep -q '^would deliver to .*: nothing proves that it is a copy of the message delivered at 20' out
exits 0 'dry run, all' -n <real
ok 'dry run, all: it would be discarded' grep -q '^would discard it' out
db 0 'check, proven' -o duplicates=proven check real
db 1 'check, all' check real
db 1 'check of the recorded one, proven' -o duplicates=proven check forged
db 0 'show' -o duplicates=proven --json show real
json 'd["verdict"], d["record"]["state"], "but nothing proves that this is a copy of it; this one: its Received" in d["why"]' \
	'new delivered True' 'show'
goes delivered 2 real 'the real one'
db 1 'check of a separate one, proven' -o duplicates=proven check real
db 0 'show of both records' show "$(sed -n 's/.* fp=\([0-9a-f]*\).*/\1/p' log)"
is "$(grep -c '^fingerprint' out)" 2 'show of both records'
digits=$(sed -n 's/.* fp=\([0-9a-f]*\).*/\1/p' log)
db 64 'forget one of two' forget "$digits"
ok 'forget one of two: where the other digits are' grep -q "give more digits; 'dedupdb show $digits' has them" err
db 0 'why' -o duplicates=proven why '<1@example.com>'
prints 'delivered: [0-9]+ bytes, although known: nothing proves that it was copied on the way; its Received fields do not tell' 'why: in words'
prints '^why .* another one, if it is proved to be a copy, is discarded$' 'why: of the next copy'
plan
