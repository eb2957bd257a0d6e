#!/bin/sh
# The JSON of every command is what tests/schemas says, in every state of a ledger.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
schemas=$(cd "$OLDPWD" && cd "$(dirname "$0")/../schemas" && pwd)

"$schemas/validate" stat /dev/null >why
if [ $? -eq 77 ]; then
	echo "1..0 # SKIP $(cat why)"
	exit 0
fi
valid() {	# valid SCHEMA CODE NAME ARGUMENT...: what dedupdb prints then
	schema=$1 code=$2 name=$3
	shift 3
	db "$code" "$name" "$@"
	"$schemas/validate" "$schema" out >why 2>&1
	result $? "$name: as in $schema.json" || diag "$(head -n 5 why)" "$(head -n 5 out)"
}
invalid() {	# invalid SCHEMA NAME LINE: the control
	printf '%s\n' "$3" >out
	"$schemas/validate" "$1" out >why 2>&1
	is $? 1 "the control, $1: $2" || diag "$(head -n 5 why)"
}
every() {	# every STATE: all commands that change nothing
	valid stat 0 "$1: stat" --json stat
	valid gaps 0 "$1: gaps" --json gaps
	db 0 "$1: list" list --json
	[ ! -s out ] || valid list 0 "$1: list" list --json
	valid export 0 "$1: export" export
	valid verify "${2:-0}" "$1: verify" --json verify
}

i=1
while [ $i -le 4 ]; do
	message $i >m$i
	i=$((i + 1))
done
printf 'Message-ID: <\377@example.org>\nDate: \302\233now\n\nx\n' >evil
printf 'Subject: nothing\n\nnobody\n' >anonymous

every 'no ledger yet'
valid prune 0 'no ledger yet: prune' --json prune
valid recover 0 'no ledger yet: recover' --json recover
valid stat 0 'no ledger by configuration: stat' -l none --json stat
valid verify 0 'no ledger by configuration: verify' -l none --json verify
valid show-file 0 'no ledger by configuration: show' -l none --json show m1

lda <m1
lda <m1
chmod 500 M/new
lda <m2
chmod 700 M/new
every 'one delivered, one pending'
cp out well
valid show-file 0 'show a delivered one' --json show m1
cp out shown
valid show-file 0 'show a pending one' --json show m2
valid show-file 0 'show a new one' --json show m3
valid show-file 0 'show a message of any bytes' --json show evil
valid show-file 0 'show a message that nothing identifies' --json show anonymous
valid why 0 'why of a delivered one' --json why '<1@example.org>'
cp out because
mkdir -p M/.Sent/cur M/.Sent/new M/.Sent/tmp
valid import 0 'import, a dry run' --json import -n M
valid import 0 'import' --json import M
rm -r M/.Sent
valid why 1 'why of one that never came' --json why '<9@example.org>'
lda <evil
lda -o on-duplicate=folder:Copies <evil
valid why 0 'why of any bytes' --json why "$(printf '<\377@example.org>')"
valid why 1 'why without a ledger' -l "bdb:$D/nowhere" --json why '<1@example.org>'
valid check 1 'check of a delivered one' --json check m1
valid check 0 'check of a pending one' --json check m2
valid check 0 'check of a message that nothing identifies' --json check anonymous
for state in delivered pending; do
	db 0 "the $state record" export
	fp=$(sed -n "s/.*\"fingerprint\":\"\([^\"]*\)\",\"state\":\"$state\".*/\1/p" out | head -n 1)
	valid show-fingerprint 0 "show the $state record" --json show "$fp"
done
db 0 'an export' export
cp out e
valid forget 0 'forget' --json forget "$fp"
valid forget 1 'forget of nothing' --json forget "$fp"
valid restore 0 'restore, a dry run' --json restore -n e
valid restore 0 'restore' --json restore e
printf '%s\n%s\nx\n' "$(head -n 1 e)" "$(sed -n 2p e)" >damaged
valid restore 65 'restore of a damaged file' --json restore damaged
ledger_edit "$D/L" age 5000
every 'an hour later' 1
valid recover 0 'recover' --json recover
ledger_edit "$D/L" age 700000
every 'a week later'
valid prune 0 'prune' --json prune
lda <m3
ledger_edit "$D/L" age -1000000000000
every 'from a year that no clock has'
ledger_edit "$D/L" damage
every 'damaged records' 1
db 0 'their fingerprint' list --json
valid show-fingerprint 0 'show a damaged record' --json show "$(sed -n 's/.*"fingerprint":"\([^"]*\)".*/\1/p' out | head -n 1)"
fresh
mkdir -p M/cur M/new M/tmp
cp m1 M/new/1
db 0 'an import' import M
db 0 'what it has recorded' list --json
fp=$(sed -n 's/.*"fingerprint":"\([^"]*\)".*/\1/p' out)
valid show-fingerprint 0 'show an imported record' --json show "$fp"
valid why 0 'why of an imported record' --json why "$fp"
ok 'why of an imported record: from where' grep -q "\"mailbox\":\"$D/M\"" out
printf 'not a page' | dd of=L/env/ledger.db bs=1 seek=5000 conv=notrunc 2>dd.err
valid verify 1 'verify of a damaged database' --json verify
valid stat 0 'stat of a damaged database' --json stat
valid verify 0 'verify, when it was set aside' --json verify

# Copies that were made everywhere.
{
	for proof in 0 1 2 3 4 5 6 7; do
		echo "duplicate -99 -999 $proof $((proof + 128)) a.example.org mx.example.org 4F2A"
		printf 'helped -99 -999 none %s - \\xff\\xc3\\xa9" \\x01\n' $proof
	done
	printf 'tagged -%s -9999 300 2 a.example.net mx.example.org -\n' 1 2 3 4 5 6 7
} | event_write L
valid gaps 0 'copies that were made everywhere: gaps' --json gaps --host example.org
valid gaps 0 'copies that were made everywhere: gaps' --json gaps
cp out where

# What is wrong is noticed.
invalid verify 'no JSON' '{'
invalid verify 'a member is missing' "$(sed 's/"state":"[^"]*",//' well)"
invalid verify 'a member too many' "$(sed 's/"state"/"more":1,&/' well)"
invalid verify 'a member twice' "$(sed 's/"state"/"state":"clean",&/' well)"
invalid verify 'another type' "$(sed 's/"size":[0-9]*/"size":"1"/' well)"
invalid verify 'a negative count' "$(sed 's/"size":[0-9]*/"size":-1/' well)"
invalid verify 'a time in words' "$(sed 's/"set_aside_last":null/"set_aside_last":"yesterday"/' well)"
invalid verify 'another verdict' "$(sed 's/"verdict":"well"/"verdict":"fine"/' well)"
invalid verify 'counts of a damaged database' "$(sed 's/"database":"sound"/"database":"damaged"/' well)"
invalid show-file 'a record without its time' "$(sed 's/"expires":"[^"]*",//' shown)"
invalid why 'no events' "$(sed 's/"events":\[[^]]*\],//' because)"
invalid why 'an action of no name' "$(sed 's/"action":"delivered"/"action":"lost"/' because)"
invalid why 'how far back is missing' "$(sed 's/,"oldest":"[^"]*"//' because)"
invalid export 'a short fingerprint' '{"fingerprint":"00","state":"delivered","first":1,"decided":1,"flags":0}'
invalid export 'no base64' "$(sed -n 's/"intent":"/&!/p' e)"
invalid gaps 'a cause of no name' "$(sed 's/"cause":"timeout"/"cause":"weather"/' where)"
invalid gaps 'a negative delay' "$(sed 's/"shortest":300/"shortest":-300/' where)"
invalid gaps 'too many of the newest' "$(sed 's/"newest":\[\({[^}]*}\)/"newest":[\1,\1,\1,\1,\1,\1/' where)"
invalid gaps 'a histogram without its last part' "$(sed 's/,{"from":604800[^}]*}//' where)"
invalid stat 'a list' '[]'
plan
