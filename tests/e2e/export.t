#!/bin/sh
# dedupdb export and restore: what comes back is what was there, nothing that counts is weakened, and no file can do harm.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

edit() { ledger_edit "$D/L" "$@" || echo "Bail out! ledger_edit $*"; }
records() { sed '1d;$d' "$1"; }		# the lines of an export between the first and the last
export_to() { db 0 "export to $1" export; cp out "$1"; }
# tally PATTERN NAME: what the last restore printed
tally() { is "$(cat out)" "$1" "$2"; }
head=$(printf '{"format":"dedup-lda ledger","version":1}')
now=$(date +%s)
fp() { printf '%064d' "$1"; }		# a fingerprint for tests
line() { printf '{"fingerprint":"%s","state":"%s","first":%s,"decided":%s,"flags":0%s}\n' "$(fp "$1")" "$2" "$3" "$4" "${5:-}"; }
file() {	# file LINE...: an export of these records, in `f`
	{ printf '%s\n' "$head" "$@" && printf '{"records":%s}\n' $#; } >f
}
field() { python3 -c "import json, sys; print(json.loads(sys.stdin.readline())['$1'])"; }

# Export, wipe, restore: every message is a duplicate again.
for kind in maildir:$D/M mbox:$D/box; do
	mailbox=$kind
	fresh
	for i in 1 2 3 4 5; do
		message $i >m$i
		lda <m$i
	done
	export_to e
	is "$(lines e) $(tail -n 1 e)" '7 {"records":5}' "$kind: a head, the records, their number"
	rm -rf L
	db 0 "$kind: restore" restore e
	tally '5 records restored, 0 of them pending; 0 already there, 0 expired, 0 damaged, 0 wrong' "$kind: restore: what it says"
	for i in 1 2 3 4 5; do
		does duplicate "$kind: message $i again" <m$i
	done
	export_to e2
	ok "$kind: the same records, byte by byte" [ "$(records e)" = "$(records e2)" ]
	db 0 "$kind: once more, from standard input" restore <e
	tally '0 records restored, 0 of them pending; 5 already there, 0 expired, 0 damaged, 0 wrong' "$kind: once more: all are there"
done
mailbox=maildir:$D/M

# The history has one event for all.
fresh
lda <m1
export_to e
fp=$(sed -n '2s/.*"fingerprint":"\([^"]*\)".*/\1/p' e)
rm -rf L
db 0 'a restore' restore e
db 1 'why of a restored one' why '<1@example.org>'
ok 'why of a restored one: what it may be' grep -Eq "restored at 20[^ ]* from $D/e: 1 record, without Message-IDs" err
db 0 'why of its fingerprint' why "$fp"
prints '^verdict  *duplicate' 'why of its fingerprint: what would happen'
prints '^events  *none' 'why of its fingerprint: no events'
db 0 'a restore that restores nothing' restore e
is "$(($(stat -c %s L/events) / 512))" 1 'a restore that restores nothing has no event'

# Many at a time, more than are taken together; over what is there: a damaged record, one that counts, and one that is twice in the file.
fresh
lda <m2
lda <m1
edit crowd 5000
export_to e
is "$(tail -n 1 e)" '{"records":5002}' 'many: an export'
fresh
mkdir -p M/cur M/new M/tmp
lda <m2
edit damage
lda <m1
{ head -n 1 e; records e; records e | head -n 1; echo '{"records":5003}'; } >f
db 0 'many: restore' restore f
tally '5001 records restored, 0 of them pending; 2 already there, 0 expired, 0 damaged, 0 wrong' 'many: restore: what it says'
db 0 'many: what there is' export
is "$(records out | grep -c '"state":"delivered"') $(grep -c '"damaged"' out)" '5002 0' 'many: all are there, and nothing is damaged'
does duplicate 'many: the record that was damaged counts again' <m2
db 0 'many: again' restore f
tally '0 records restored, 0 of them pending; 5003 already there, 0 expired, 0 damaged, 0 wrong' 'many: again: all are there'

# A pending record keeps all that it needs to be settled: the message is published by recover, once.
fresh
lda <m1
chmod 500 M/new
lda <m2
chmod 700 M/new
is "$rc $(copies) $(staged)" '75 1 1' 'a delivery that did not finish'
export_to e
rm -rf L
db 0 'a pending record: dry run' restore --dry-run e
tally '2 records would be restored, 1 of them pending; 0 already there, 0 expired, 0 damaged, 0 wrong' 'a dry run says what it would do'
ok 'a dry run makes no ledger' [ ! -e L ]
db 0 'a pending record: restore' restore -n e
db 0 'a pending record: restore' restore e
tally '2 records restored, 1 of them pending; 0 already there, 0 expired, 0 damaged, 0 wrong' 'a pending record is restored'
cp -R L L.pending
cp -R M M.pending
# Without its stage it was published, or is lost: after a restore nobody can know, and every doubt delivers.
rm M/tmp/*
does delivered 'a restored pending record whose stage is missing: its message is delivered' <m2
is "$(copies)" 2 'it is there'
does duplicate 'and its copy is not' <m2
rm -rf L M
mv L.pending L
mv M.pending M
db 0 'a pending record: recover' recover
prints '^1 settled' 'recover publishes it'
does duplicate 'its copy' <m2
is "$(copies) $(staged)" '2 0' 'it is there once'
# The control: had the restore kept the time of the decision, the missing stage in a folder that is the recorded one would prove too much.
fresh
lda <m1
chmod 500 M/new
lda <m2
chmod 700 M/new
rm M/tmp/*
does helped 'the control: a young record, as the agent wrote it, believes in a missing stage' <m2
is "$(copies)" 1 'the control: and the message is not there'

# What counts in the ledger stays as it is.
fresh
lda <m1
chmod 500 M/new
lda <m2
chmod 700 M/new
export_to before
records before | grep delivered | sed 's/"first":[0-9]*/"first":1000000000/; s/"decided":[0-9]*/"decided":1000000000/' >f1
{ records before | grep pending | sed 's/pending/delivered/; s/,"intent":"[^"]*"//'; } >f2
file "$(cat f1)" "$(cat f2)"
db 0 'an expired record, and one that says that a pending one was delivered' restore f
tally '0 records restored, 0 of them pending; 1 already there, 1 expired, 0 damaged, 0 wrong' 'neither is taken'
records before | grep delivered | sed "s/\"first\":[0-9]*/\"first\":$((now - 1000))/" >f1
records before | grep delivered | sed 's/delivered/pending/; s/}$/,"intent":"TQEAAA=="}/' >f2
file "$(cat f1)" "$(cat f2)"
db 0 'an older delivery, and one that is pending' restore f
tally '0 records restored, 0 of them pending; 2 already there, 0 expired, 0 damaged, 0 wrong' 'neither is taken'
export_to after
ok 'nothing has changed' [ "$(records before)" = "$(records after)" ]
does helped 'the pending one still is' <m2

# What does not count is replaced.
fresh
lda <m1
export_to e
edit age 700000
db 0 'an expired record in the ledger' restore e
tally '1 record restored, 0 of them pending; 0 already there, 0 expired, 0 damaged, 0 wrong' 'an expired record in the ledger is replaced'
does duplicate 'it counts again' <m1
edit damage
export_to damaged
is "$(records damaged | field state)" damaged 'a record that does not decode is exported as it is'
ok 'with its bytes' [ -n "$(records damaged | field raw)" ]
rm -rf L
db 0 'a damaged record in the file' restore damaged
tally '0 records restored, 0 of them pending; 0 already there, 0 expired, 1 damaged, 0 wrong' 'a damaged record in the file is left out'
lda <m1
edit damage
db 0 'a damaged record in the ledger' restore e
tally '1 record restored, 0 of them pending; 0 already there, 0 expired, 0 damaged, 0 wrong' 'a damaged record in the ledger is replaced'
does duplicate 'it counts again' <m1

# No record discards for longer than the window.
fresh
file "$(line 1 delivered 9000000000 9000000000)" "$(line 2 delivered 9223372036854775807 9223372036854775807)" \
    "$(line 3 pending 9000000000 9000000000)"
db 0 'records from the future' restore f
db 0 'records from the future' export
ok 'they count from now on' sh -c "sed '1d;\$d' out | python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    assert $now <= r[\"first\"] <= $now + 600 and r[\"decided\"] <= r[\"first\"], r'"

# Nor does a pending one prove anything by a time that nobody's clock can have shown.
if can_trace; then
	fresh
	message early >m
	run=$(kill_at "$RENAME" 1)
	lda <m
	run=
	db 0 'a pending record' export
	rm -rf L M/tmp/*
	sed 's/"first":[0-9]*,"decided":[0-9]*/"first":-9223372036854775808,"decided":-9223372036854775808/' out >f
	db 0 'from before all time' restore f
	tally '1 record restored, 1 of them pending; 0 already there, 0 expired, 0 damaged, 0 wrong' 'from before all time: restored'
	does delivered 'from before all time: the next copy' <m
	is "$(copies)" 1 'from before all time: the message is there'
fi

# A cut file: what is there is restored, and what is missing is said.
fresh
for i in 1 2 3; do lda <m$i; done
export_to e
for cut in 400 1 10 100 250; do
	head -c -"$cut" e >e.cut
	rm -rf L
	if [ "$cut" -eq 1 ]; then
		db 0 'only the last newline is missing' restore e.cut
	else
		db 65 "$cut bytes are missing" restore e.cut
		ok "$cut bytes are missing: it says so" grep -q 'without the last one: it was cut off' err
	fi
done
db 0 'and then the whole one' restore e
tally '2 records restored, 0 of them pending; 1 already there, 0 expired, 0 damaged, 0 wrong' 'and then the whole one: the rest follows'

# Hostile files. Of each that is an export at all the good records are restored; every complaint names the line.
refused() {	# refused TEXT NAME: the file f is none of ours, and nothing is made of it
	rm -rf L
	db 65 "$2" restore f
	ok "$2: says why" grep -q "$1" err
	ok "$2: no ledger" [ ! -e L ]
}
printf '' >f
refused ': is empty$' 'an empty file'
line 1 delivered "$now" "$now" >f
refused 'f: line 1: this is not the first line of an export$' 'no head'
head -c 100000 /dev/urandom >f
refused 'f: line 1: ' 'noise'
printf '{"format":"dedup-lda ledger","version":2}\n' >f
refused 'line 1: version is 2, and this program knows 1' 'a newer version'
printf '{"format":"tar","version":1}\n' >f
refused 'line 1: format is not that of an export$' 'another format'
printf '{"format":["dedup-lda ledger"],"version":1}\n' >f
refused 'line 1: format is not that of an export$' 'a format of another type'

wrong() {	# wrong LINE TEXT NAME: a line between two good ones
	file "$(line 1 delivered "$now" "$now")" "$1" "$(line 2 delivered "$now" "$now")"
	rm -rf L
	db 65 "$3" restore f
	ok "$3: the line and why" grep -q "f: line 3: $2" err || diag "$(cat err)"
	is "$(lines err) $(cat out)" '1 2 records restored, 0 of them pending; 0 already there, 0 expired, 0 damaged, 1 wrong' "$3: the others"
}
good=$(line 3 delivered "$now" "$now")
wrong "$(head -c 10000000 /dev/zero | tr '\0' x)" 'it has more than 32768 bytes$' 'a line of 10 MB'
wrong "$(head -c 30000 /dev/zero | tr '\0' '[')" 'it is no JSON: ' 'deep nesting'
wrong "{\"records\":$(head -c 12000 /dev/zero | tr '\0' '[')$(head -c 12000 /dev/zero | tr '\0' ']')}" 'it is no JSON: ' 'deep nesting, and well'
wrong "$(echo "$good" | sed 's/"flags":0/"flags":"\\u0000"/')" 'it is no JSON: ' 'a NUL in a string'
wrong 'null' 'it is no JSON: ' 'no object'
wrong '[]' 'the line is no JSON object$' 'an array'
wrong '{}' 'the line is neither a record nor ' 'an empty object'
wrong '' 'it is no JSON: ' 'an empty line'
wrong "$good$good" 'it is no JSON: ' 'two objects'
wrong "$(printf '{"a\033[31m":}')" 'it is no JSON: ' 'a control sequence'
wrong "$(echo "$good" | sed 's/"first":[0-9]*/"first":99999999999999999999/')" 'it is no JSON: ' 'a huge number'
wrong "$(echo "$good" | sed 's/"first":[0-9]*/"first":1e400/')" 'it is no JSON: ' 'a huge real'
wrong "$(echo "$good" | sed 's/"first":[0-9]*/"first":1.5/')" 'first is no whole number$' 'a real'
wrong "$(echo "$good" | sed 's/"first":[0-9]*/"first":"1"/')" 'first is no whole number$' 'a number in a string'
wrong "$(echo "$good" | sed 's/"first":[0-9]*,//')" 'first is missing$' 'no time'
wrong "$(echo "$good" | sed 's/"flags":0/"flags":65536/')" 'flags is out of range$' 'flags that are too large'
wrong "$(echo "$good" | sed 's/"flags":0/"flags":-1/')" 'flags is out of range$' 'negative flags'
wrong "$(echo "$good" | sed 's/delivered/gone/')" 'state is neither pending nor delivered$' 'an unknown state'
wrong "$(echo "$good" | sed 's/"delivered"/{}/')" 'state is neither pending nor delivered$' 'a state of another type'
wrong "$(echo "$good" | sed 's/0003"/003"/')" 'fingerprint has not 64 hex digits$' 'a short fingerprint'
wrong "$(echo "$good" | sed 's/0003"/00003"/')" 'fingerprint has not 64 hex digits$' 'a long fingerprint'
wrong "$(echo "$good" | sed 's/0003"/00g3"/')" 'fingerprint has not 64 hex digits$' 'a fingerprint of other letters'
wrong "$(echo "$good" | sed 's/"fingerprint":"[0-9]*"/"fingerprint":3/')" 'fingerprint has not 64 hex digits$' 'a fingerprint of another type'
wrong "$(echo "$good" | sed 's/}$/,"state":"pending"}/')" 'it is no JSON: ' 'a member that is there twice'
wrong "$(line 3 delivered "$now" "$now" ',"intent":"TQ=="')" 'intent is there, but state is delivered$' 'an intent that nobody needs'
for bad in '!!!!' TQ TQ= TR== 'TQ= =' 7; do
	wrong "$(line 3 pending "$now" "$now" ",\"intent\":\"$bad\"")" 'intent is not in base64, or too long$' "base64: $bad"
done
wrong "$(line 3 pending "$now" "$now" ",\"intent\":\"$(head -c 8193 /dev/zero | base64 -w 0)\"")" 'intent is not in base64, or too long$' \
    'an intent that is too long'
wrong "$(line 3 delivered "$now" "$now" ",\"trace\":\"$(head -c 1025 /dev/zero | base64 -w 0)\"")" 'trace is not in base64, or too long$' \
    'a trace that is too long'
wrong "$head" 'a second export begins here$' 'two exports in one file'
printf '%s\n%s\n{"records":5}\n' "$head" "$good" >f
rm -rf L
db 65 'another number of records' restore f
ok 'another number of records: says so' grep -q 'f: line 3: it counts other records than there are' err
{ printf '%s\n%s\n{"records":1}\n' "$head" "$good" && line 4 delivered "$now" "$now"; } >f
rm -rf L
db 65 'a record behind the last line' restore f
ok 'a record behind the last line: says so' grep -q 'f: line 4: it follows the last line of the export' err
i=0
: >lines
while [ $i -lt 50 ]; do
	echo x >>lines
	i=$((i + 1))
done
file "$(cat lines)"
sed -i 's/{"records":1}/{"records":50}/' f
db 65 'many wrong lines' restore f
is "$(lines err) $(tail -n 1 err)" '11 dedupdb: f: 40 more lines are wrong' 'many wrong lines: ten are told'
file "$(line 1 delivered "$now" "$now" | sed 's/0001"/aBcD"/')"
rm -rf L
db 0 'letters of both cases' restore f
db 0 'letters of both cases' show "$(fp 0 | sed 's/0000$/abcd/')"
file "$(line 1 delivered "$now" "$now" ',"later":{"a":[1,2]}')"
db 0 'members of a later program' restore f

# Memory does not grow with the file.
{ printf '%s\n' "$head" && head -c 60000000 /dev/zero | tr '\0' x && printf '\n{"records":1}\n'; } >f
run='maxrss rss'
db 65 'a line of 60 MB' restore f
run=
ok 'a line of 60 MB: less than 30 MB of memory' [ "$(cat rss)" -lt 30000 ]

# What can't be read, and nowhere to go.
db 66 'no such file' restore nowhere
db 74 'a folder' restore M
db 69 'no ledger by configuration: export' -l none export
db 69 'no ledger by configuration: restore' -l none restore e
rm -rf L
db 0 'no ledger yet' export
is "$(tail -n 1 out)" '{"records":0}' 'no ledger yet: an empty export'
ok 'no ledger yet: it says so' grep -q 'note: there is no ledger yet' err
db 64 'export has no arguments' export f
db 64 'restore has one' restore f f
db 0 'records of another mailbox' -o "mailbox=maildir:$D/other" restore e
ok 'records of another mailbox: a note' grep -q 'note: these records are of maildir:' err

# A damaged ledger: no export without the records that it lost.
fresh
edit crowd 2000
cp -R L L.sound
printf 'not a page' | dd of=L/env/ledger.db bs=1 seek=40000 conv=notrunc 2>dd.err
db 69 'export of a damaged database' export
ok 'it says what became of it' grep -q 'set aside as env.bad' err
is "$(grep -c '"records"' out)" 0 'and has no last line'
cp out f
db 65 'so it is no export for restore either' restore f

# Killed at any point, restore leaves a ledger that is well, and a second one does the rest.
rm -rf L
mv L.sound L
export_to all
{ sed -n '1,31p' all && printf '{"records":30}\n'; } >e
if can_trace; then
	kills=0
	for call in pwrite64 write openat fdatasync fsync fcntl mkdirat; do
		rm -rf L
		run="strace -o trace.out -e trace=$call"
		db 0 "restore, its $call counted" restore e
		points=$(count "^$call\(" trace.out)
		step=$((points / ${KILLS:-4} + 1)) when=1	# KILLS=1000: at each
		while [ "$when" -le "$points" ]; do
			rm -rf L
			run=$(kill_at "$call" "$when")
			db 137 "killed at $call $when of $points" restore e
			run=
			db 0 "killed at $call $when: all is well" verify
			db 0 "killed at $call $when: the rest" restore e
			export_to again
			is "$(lines again)" 32 "killed at $call $when: all is there"
			kills=$((kills + 1))
			when=$((when + step))
		done
	done
	ok 'it was killed often enough' [ "$kills" -ge 15 ]
else
	skip 'killed at any point' 'strace can not trace here'
fi
plan
