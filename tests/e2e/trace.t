#!/bin/sh
# Where a copy was made: what the log line, the event, -n and the tools say of two chains of Received fields.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

json() { is "$(python3 -c "import json; d = json.load(open('out')); print($1)" 2>&1)" "$2" "$3"; }	# json EXPRESSION WANTED NAME
text() { printf 'From: ann@example.com\nDate: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <%s@example.com>\nSubject: s\n\nhello\n' "$1"; }
# Hops as MTAs write them, the newest on top in each message.
submitted() {
	printf 'Received: from [10.1.2.3] (dsl-9.example.com [198.51.100.9])\n\t(Authenticated sender: ann)\n'
	printf '\tby relay.example.com (Postfix) with ESMTPSA id 4XaAAA0aaa;\n\tFri, 20 Nov 2026 12:00:00 +0000 (UTC)\n'
}
at_mx() {	# at_mx ID TIME [FROM]: Postfix
	printf 'Received: from relay.example.com (%s)\n' "${3:-relay.example.com [192.0.2.7]}"
	printf '\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n\t(No client certificate requested)\n'
	printf '\tby mx2.example.org (Postfix) with ESMTPS id %s\n\tfor <joe@example.org>; Fri, 20 Nov 2026 %s +0100 (CET)\n' "$1" "$2"
}
at_store() {	# at_store ID TIME: Exim
	printf 'Received: from mx2.example.org ([203.0.113.2])\n\tby store.example.org with esmtps (TLS1.3)\n\t(Exim 4.96)\n'
	printf '\t(envelope-from <ann@example.com>)\n\tid %s\n\tfor joe@example.org;\n\tFri, 20 Nov 2026 %s +0000\n' "$1" "$2"
}
tells() {	# tells PATTERN NAME OPTION...: of `copy`, what the log says of its way
	line=$1 about=$2
	shift 2
	: >log
	exits 0 "$about" "$@" <copy
	matches "$(sed -n 's/.* age=[0-9]* *//p' log)" "^$line\$" "$about: the log"
}
copied() {	# copied WANTED NAME OPTION...: the same, of a copy of `first` in a new mailbox, with the event
	fresh
	lda <first
	what=$2
	tells "$@"
	db 0 "$what: why" --json why '<1@example.com>'
	json '"{0[proof]} {0[sure]} {1} {2}->{3} {4}".format(e := d["messages"][0]["events"][-1], *[e.get(k) for k in ("gap", "sender", "receiver", "queue_id")])' \
		"$event" "$what: the event"
}

# The gap, at our own MTA.
{ at_mx 4XaBBB1bbb 13:00:05; submitted; text 1; } >first
{ at_mx 4XaCCC2ccc 13:10:17; submitted; text 1; } >copy
event='queue-id True 612 relay.example.com->mx2.example.org 4XaCCC2ccc'
copied 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=yes' 'a gap'
db 0 'why, as text' why '<1@example.com>'
prints ' duplicate: another copy came [0-9]+s after the first one and was discarded; copied between relay\.example\.com and mx2\.example\.org, 612 s apart: it was taken there twice, this time as 4XaCCC2ccc$' \
	'a gap: in words'
db 0 'show' show copy
prints '^why .* is discarded; this one: copied between relay\.example\.com and mx2\.example\.org, 612 s apart' 'show: in words'
exits 0 'dry run' -n <copy
is "$(tail -n 1 out)" 'copied between relay.example.com and mx2.example.org, 612 s apart: it was taken there twice, this time as 4XaCCC2ccc' \
	'dry run: in words'
tells 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=yes' 'a gap, tagged' -o on-duplicate=tag
tells 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=yes' 'a gap, filed' -o on-duplicate=folder:Copies
rm log
exits 0 'as JSON' -o log-format=json <copy
is "$(python3 -c 'import json; d = json.load(open("log")); print(d["hop"], d["gap"], d["proof"], d["sure"])')" \
	'relay.example.com->mx2.example.org 612s queue-id yes' 'as JSON: the log'

# The same one again.
cp first copy
fresh && lda <first
tells 'hop=mx2.example.org->dedup-lda gap=[0-9]+s proof=same-chain sure=yes' 'the same chain'
db 0 'why' --json why '<1@example.com>'
json '[(e["action"], e.get("proof"), e.get("sender")) for e in d["messages"][0]["events"]]' \
	"[('delivered', None, None), ('duplicate', 'same-chain', 'mx2.example.org')]" 'the same chain: the events'
text 1 >first
cp first copy
fresh && lda <first
tells 'gap=[0-9]+s proof=same-chain sure=no' 'no Received field at all'

# One hop before ours: sure if that host is trusted.
{ at_store 1tAAAA-000000001-AAAA 12:00:06; at_mx 4XaBBB1bbb 13:00:05; submitted; text 1; } >first
{ at_store 1tBBBB-000000001-BBBB 12:10:18; at_mx 4XaCCC2ccc 13:10:17; submitted; text 1; } >copy
event='queue-id False 612 relay.example.com->mx2.example.org 4XaCCC2ccc'
copied 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=no' 'a gap at another host'
fresh && lda -o trusted-hosts=203.0.113.0/28 <first
tells 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=yes' 'a gap at a trusted host' -o trusted-hosts=203.0.113.0/28
tells 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=no' 'a gap, the network is not theirs' -o trusted-hosts=203.0.113.0/31

# A sender with nothing older.
{ at_mx 4XaBBB1bbb 13:00:05; text 1; } >first
{ at_mx 4XaCCC2ccc 13:00:35; text 1; } >copy
event='sender True 30 relay.example.com->mx2.example.org 4XaCCC2ccc'
copied 'hop=relay.example.com->mx2.example.org gap=30s proof=sender sure=yes' 'the first hop'

# Two ways: from another address.
{ at_mx 4XaBBB1bbb 13:00:05; submitted; text 1; } >first
{ at_mx 4XaCCC2ccc 13:10:17 'unknown [192.0.2.250]'; submitted; text 1; } >copy
event='fork True 612 relay.example.com->mx2.example.org None'
copied 'hop=relay.example.com->mx2.example.org gap=612s proof=fork sure=yes' 'two ways'

# In a circle.
{ at_store 1tBBBB-000000001-BBBB 12:10:18; at_mx 4XaBBB1bbb 13:00:05; submitted; text 1; } >copy
fresh && lda <first
tells 'hop=mx2.example.org->store.example.org gap=[0-9]+s proof=loop sure=yes' 'a loop'
{ at_mx 4XaCCC2ccc 13:10:17 'unknown [192.0.2.250]'; echo 'Delivered-To: joe@example.org'; submitted; text 1; } >copy
fresh && lda <first
tells 'proof=loop sure=no' 'a loop by Delivered-To' -a joe@example.org

# Nothing in common.
{ at_mx 4XaDDD3ddd 13:10:17; text 1; } >copy
event='separate False None None->None None'
copied 'proof=separate sure=no' 'separate'

# Names that would like to be something else.
printf 'Received: from a=b->c"d\\\\" by mx->2=proof"x y"%%\n\twith SMTP id a="b\\001\\377";\n\tnever\n' >evil
{ cat evil; submitted; text 1; } >first
sed 's/id a=/id b=/' first >copy
fresh && lda <first
tells 'hop=a\?b-\?c\?d\?\?->mx-\?2\?proof\?x\?y\?\? proof=queue-id sure=no' 'evil names'
is "$(lines log)" 1 'evil names: one line'
db 0 'evil names: why' why '<1@example.com>'
is "$(LC_ALL=C tr -d '\n -~' <out | wc -c | tr -d ' ')" 0 'evil names: nothing but text'

# What has no trace: a record from before, or from an import.
{ at_mx 4XaBBB1bbb 13:00:05; submitted; text 1; } >first
fresh
mkdir -p M/tmp M/new M/cur && cp first M/cur/1.a:2,S
db 0 'import' import M
cp first copy
tells 'proof=none sure=no' 'a copy of an imported message'

# A copy that finishes the first delivery; and the trace outlives it, and an export.
if can_trace; then
	fresh
	run=$(kill_at "$RENAME" 1 "$D/M/tmp")
	lda <first
	run=
	{ at_mx 4XaCCC2ccc 13:10:17; submitted; text 1; } >copy
	tells 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=yes' 'a copy that helps'
	is "$(grep -c 'action=helped' log)" 1 'a copy that helps: helped'
	db 0 'helped: why' --json why '<1@example.com>'
	json '[(e["action"], e.get("proof")) for e in d["messages"][0]["events"]]' "[('helped', 'queue-id')]" 'a copy that helps: the event'
else
	skip 'a copy that helps' 'strace can not trace here'
fi
db 0 'export' export && cp out dump
rm -rf L
db 0 'restore' restore dump
tells 'hop=relay.example.com->mx2.example.org gap=612s proof=queue-id sure=yes' 'after export and restore'
plan
