#!/bin/sh
# dedupdb import: what a mailbox already holds is a duplicate when it comes again.
letters=$PWD/${0%/*}/letters.py
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

COUNT=48	# three of each kind
WINDOW='-o window=30000d'	# the dates in the mboxes are fixed
# shellcheck disable=SC2086 # $WINDOW is two words
db() {	# db CODE NAME ARGUMENT...
	want=$1 title=$2
	shift 2
	$run "$BUILD/dedupdb" -o "mailbox=$mailbox" -o "ledger=$ledger" $WINDOW "$@" >out 2>err
	is $? "$want" "$title: exit $want" || diag "$(head -n 5 err)"
}
says_number() { is "$(sed -n "s/^$1  *//p" out)" "$2" "$3: $1"; }	# says_number LABEL NUMBER NAME
json() { python3 -c 'import json, sys; print(eval(sys.argv[1], {"d": json.load(open("out"))}))' "$1"; }
# What the agent did with each letter, as "count action" lines.
deliver_all() {	# deliver_all OPTION...
	: >"$D/log"
	for letter in letters/*; do
		lda -f a@example.org -a b@example.org "$@" <"$letter"
		[ "$rc" -eq 0 ] || diag "$letter: exit $rc: $(head -n 1 err)"
	done
	grep -o 'action=[a-z]*' log | sort | uniq -c | sed 's/^ *//'
}
healthy() { db 0 "$1" stat; is "$(sed -n 's/^health  *//p' out)" healthy "$1: healthy"; }

mkdir letters
python3 "$letters" letters $COUNT 1

# shellcheck disable=SC2086 # $WINDOW is two words
for mailbox in "maildir:$D/M" "mbox:$D/box"; do
	kind=${mailbox%%:*}
	fresh
	is "$(deliver_all -o ledger=none)" "$COUNT action=delivered" "$kind: all letters are delivered without a ledger"
	db 0 "$kind, dry run" import --dry-run "${mailbox#*:}"
	would=$(sed -n 's/^would record  *//p' out)
	ok "$kind, dry run: makes no ledger" test ! -e L
	db 0 "$kind" import "${mailbox#*:}"
	says_number recorded "$would" "$kind: as the dry run has said"
	says_number known 0 "$kind"
	says_number 'not identified' 0 "$kind"
	is "$(deliver_all $WINDOW)" "$COUNT action=duplicate" "$kind: each letter is a duplicate when it comes again"
	cp letters/006 other
	printf 'one more line\n' >>other
	does delivered "$kind, control: another message is none" $WINDOW <other
	db 0 "$kind, again" import "${mailbox#*:}"
	says_number recorded 0 "$kind, again"
	says_number known $((would + 1)) "$kind, again"
	does duplicate "$kind, again: the other one" $WINDOW <other
done

# An mbox that another program has written, as mboxo. A letter whose lines it made alike can't be told from another.
fresh
mailbox=mbox:$D/box
python3 "$letters" --mboxo letters/* >old
rm letters/000 letters/016 letters/032
db 0 mboxo import old
# shellcheck disable=SC2086 # two words
is "$(deliver_all $WINDOW)" "$((COUNT - 3)) action=duplicate" 'mboxo: each letter is a duplicate when it comes'

# What is left out.
fresh
mailbox=maildir:$D/M
WINDOW='-o window=7d'
mkdir -p M/cur M/new M/tmp
for folder in .Sent .INBOX.Drafts .Trash.2025 .lists; do
	mkdir -p M/$folder/cur M/$folder/new M/$folder/tmp
	message "${folder#.}" >"M/$folder/cur/$(date +%s).1.host:2,S"
done
message inbox >"M/new/$(date +%s).1.host"
message draft >"M/cur/$(date +%s).2.host:2,DS"
message old >"M/cur/$(($(date +%s) - 700000)).1.host:2,S"
message moved >"M/cur/$(date +%s).3.host:2,S"	# a copy of an old one: new name, old time
touch -d '8 days ago' M/cur/*.3.host:2,S
message unnamed >M/cur/unnamed
message odd >M/cur/.hidden
ln -s ../new/nowhere M/cur/link
printf 'Subject: no identity\n\ntext\n' >M/cur/nothing
db 0 'folders' --json import M/
is "$(json 'sorted(s["folder"] for s in d["skipped"])')" "['INBOX.Drafts', 'Sent', 'Trash.2025']" 'folders: these are left out'
is "$(json '[d[k] for k in ("messages", "recorded", "known", "older", "drafts", "unidentified", "unreadable")]')" \
	'[4, 3, 0, 2, 1, 1, 0]' 'folders: what is recorded, and what is not'
for name in inbox lists unnamed; do
	message $name >m
	does duplicate "folders: $name" <m
done
for name in Sent INBOX.Drafts Trash.2025 draft old moved; do
	message $name >m
	db 0 "folders: $name has no record" check m
done
db 0 'folders: by name' import --also Sent --skip lists M
says_number recorded 1 'folders: by name'
message Sent >m
does duplicate 'folders: Sent, by name' <m
db 0 'folders: Sent itself' import M/.Sent
says_number recorded 0 'folders: Sent itself'
ok 'folders: Sent itself: says so' grep -q -e "--also 'Sent'" err
db 0 'list' list
is "$(count '	imported	' out)" 4 'list: says which were imported'
message inbox >m
db 0 'show' show m
ok 'show: says it' grep -Eq '^ *imported  *yes$' out
is "$(sed -n 's/^ *first  *\([^ ]*\).*/\1/p' out | cut -c 1-10)" "$(date +%Y-%m-%d)" 'show: first is when it was delivered'

# The history has one event for a mailbox, and the record tells which import it was.
fresh
mkdir -p M/cur M/new M/tmp N/cur N/new N/tmp
message inbox >M/new/1
message other >N/new/1
fp_of() { db 0 "$1: its fingerprint" show "$1" && sed -n 's/^fingerprint  *//p' out; }
message inbox >m
message other >m2
db 0 'a mailbox' import M
says_number recorded 1 'a mailbox'
db 0 'why of its fingerprint' why "$(fp_of m | tail -n 1)"
ok 'why of its fingerprint: from where' grep -q "imported: recorded from $D/M, without a delivery" out
ok 'why of its fingerprint: what would happen' grep -Eq '^ *verdict  *duplicate' out
db 0 'show' show m
ok 'show: from where' grep -q "imported: recorded from $D/M, without a delivery" out
db 1 'why of its Message-ID' why '<inbox@example.org>'
says "imported at 20[^ ]* from $D/M: 1 record, without Message-IDs" 'why of its Message-ID: what it may be'
does duplicate 'a copy of it' <m
db 0 'why of its Message-ID, after a copy' why '<inbox@example.org>'
is "$(sed -n 's/^  20[^ ]* \([a-z]*\): .*/\1/p' out | tr '\n' ' ')" 'imported duplicate ' 'why of its Message-ID, after a copy: both'
db 0 'the same once more' import M
rm L/events
db 0 'without the history' show m
ok 'without the history: that it was imported' grep -q 'imported: recorded from a mailbox, without a delivery' out
rm -r L
db 0 'two mailboxes in one run' import M N
db 0 'show of one' show m2
ok 'show of one: nobody knows from which' grep -q 'imported: recorded from a mailbox, without a delivery' out

# A message that is there twice.
fresh
mkdir -p M/cur M/new M/tmp
message twice >M/new/1
cp M/new/1 M/cur/2:2,S
message once >M/new/3
for option in --dry-run ''; do
	# shellcheck disable=SC2086 # none, or one word
	db 0 "twice ${option:-at last}" import $option M
	says_number "$([ -n "$option" ] && echo 'would record' || echo recorded)" 2 "twice ${option:-at last}"
	says_number known 1 "twice ${option:-at last}"
done

# What has a record keeps it.
fresh
message 1 >m
lda <m
message 2 >m
chmod 500 M/new
lda <m
chmod 700 M/new
is "$rc" 75 'a pending record'
cp "$(find M/tmp -type f)" M/cur/by-hand
db 0 'before' list --sort
cp out before
db 0 'records' import M
says_number known 2 'records'
db 0 'after' list --sort
is "$(cut -f 1,2,3 out)" "$(cut -f 1,2,3 before)" 'records: are as they were'

# Trouble.
db 66 'no mailbox' import nowhere
says 'nowhere: No such file' 'no mailbox: says so'
chmod 770 L
db 69 'a ledger that can not be used' import M
chmod 700 L
db 66 'no Maildir' import letters
says 'is no Maildir' 'no Maildir: says so'
printf 'text\n' >text
db 66 'no mbox' import text
says 'is no mbox' 'no mbox: says so'
: >empty
db 0 'an empty mbox' import empty
db 64 'nothing to import' import
chmod 0 M/cur/by-hand
db 66 'a file that may not be read' import M
says_number unreadable 1 'a file that may not be read'
says 'by-hand: Permission denied' 'a file that may not be read: says which'
ledger=none
db 69 'no ledger' import M
ledger=bdb:$D/L

# Killed at each of its writes, and stopped.
fresh
rm -rf letters
mkdir letters
python3 "$letters" letters 16 2
mkdir -p M/cur M/new M/tmp
for letter in letters/*; do cp "$letter" "M/cur/$(date +%s).${letter#*/}.host:2,S"; done
if can_trace; then
	kills=0
	for at in 1 2 3 4 5 6 7 8 10 12 14 16 18 20 24 28 32; do
		rm -rf L
		$(kill_at 'pwrite64,fdatasync,fsync' "$at") "$BUILD/dedupdb" -o "mailbox=$mailbox" -o "ledger=$ledger" import M >out 2>err
		[ $? -ne 137 ] || kills=$((kills + 1))
		db 0 "killed at $at, again" import M
		is "$(($(sed -n 's/^recorded  *//p' out) + $(sed -n 's/^known  *//p' out)))" 16 "killed at $at: then all are recorded"
		healthy "killed at $at"
	done
	ok "killed: $kills times" test "$kills" -gt 8
	is "$(deliver_all)" '16 action=duplicate' 'killed: each is a duplicate'
	rm -rf L
	broken=$(find M/cur -type f | sort | sed -n 5p)
	run="strace -o trace.out -P $D/$broken -e trace=read,pread64 -e inject=read,pread64:error=EIO"
	db 66 'a broken sector' import M
	run=
	says_number recorded 15 'a broken sector: the others'
	says_number unreadable 1 'a broken sector'
	says "$broken: .*Input/output error" 'a broken sector: says where'
	rm -rf L
	# whoever starts this in the background has the signal ignored
	run='env --default-signal=INT strace -o trace.out -P M/cur -e trace=openat -e inject=openat:signal=INT:when=2'
	$run "$BUILD/dedupdb" -o "mailbox=$mailbox" -o "ledger=$ledger" --json import M >out 2>err
	is $? 130 'SIGINT: exit 130'
	run=
	says 'run it again' 'SIGINT: says how to go on'
	is "$(json 'd["interrupted"]')" True 'SIGINT: the result says it'
	db 0 'SIGINT, again' import M
	db 0 'SIGINT, again' import M
	says_number known 16 'SIGINT, again: all are recorded'
else
	skip 'killed' 'nothing can be traced here'
fi
plan
