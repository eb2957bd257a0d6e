#!/bin/sh
# A ledger that lies: somebody else wrote its records. It is believed that a message was delivered; it does not lead the agent to other
# files than those of the mailbox, and no record kills it. The records are made of a true one, of an interrupted delivery to another mailbox.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
if ! can_trace; then
	skip 'a ledger that lies' 'strace can not trace here'
	plan
	exit
fi
# The sandbox is what keeps other folders out.
strace -o trace.out -e trace=landlock_create_ruleset "$BUILD/dedup-lda" -o "mailbox=$mailbox" -o ledger=none -o log=stderr <m 2>err
sandbox=$(sed -n 's/.*LANDLOCK_CREATE_RULESET_VERSION) *= //p' trace.out | head -n 1 | tr -dc 0-9)

# A pending record whose intent leads to the Maildir N, where that message is staged.
mailbox=maildir:$D/N ledger=bdb:$D/LN
run=$(kill_at "$RENAME" 1)
lda <m
run=
db 0 'an interrupted delivery to another mailbox' export
cp out true.jsonl
cp -R N N.before
mailbox=maildir:$D/M ledger=bdb:$D/L
lie() {	# lie FROM TO: that record as one of this mailbox, with these bytes of its intent replaced by as many others
	fresh
	mkdir -p M/tmp M/new M/cur
	db 0 'show' show m
	python3 - "$D" "$@" "$(sed -n 's/^ *fingerprint *//p' out | head -n 1)" <<-'END'
	import base64, json, sys
	folder, old, new, key = sys.argv[1:]
	old, new = old.encode(), new.encode()
	lines = [json.loads(l) for l in open(folder + '/true.jsonl')]
	record = lines[1]
	record['fingerprint'] = key
	intent = base64.b64decode(record['intent'])
	assert len(old) == len(new) and old in intent, intent
	record['intent'] = base64.b64encode(intent.replace(old, new)).decode()
	lines[0]['scope'] = 'maildir:' + folder + '/M'
	open(folder + '/lie.jsonl', 'w').writelines(json.dumps(l) + '\n' for l in lines)
	END
	db 0 'restore' restore lie.jsonl
	prints '^1 record restored, 1 of them pending' "$what: it is on record"
	ledger_edit "$D/L" age -86400	# restore makes it so old that nothing is proved by it
}
elsewhere() {	# what is not the mailbox's
	(cd "$D" && find N out.d -type f -o -type d | sort)
}
mkdir out.d
touch out.d/precious
elsewhere >before

name=$(basename "$(find N/tmp -type f)")
up=$(printf '%s' "$name" | sed 's,^.................,../../out.d/preci,')
for lie in "another mailbox|$D/N|$D/N" "a folder that is not there|$D/N|$D/Q" "a file as a folder|$D/N|$D/m" "a path that is not absolute|$D/N|.${D#?}/N" \
    "a name that leads out|$name|$up" "a name with a control character|$name|$(printf '%s' "$name" | tr 1 '\001')"; do
	what=${lie%%|*} old=${lie#*|} new=${lie##*|}
	old=${old%|*}
	lie "$old" "$new"
	lda <m
	rm -f "$D"/log
	elsewhere >after
	case $sandbox in
	'') skip "$what: nothing else is touched" 'no Landlock here' ;;
	*) same after before "$what: nothing else is touched" ;;
	esac
	case "$rc $(copies)" in
	'75 0' | '0 1') result 0 "$what: it is delivered, or waits" ;;
	*) result 1 "$what: it is delivered, or waits" || diag "exit $rc, $(copies) copies" ;;
	esac
	ledger_edit "$D/L" age $((2 * 86400))
	lda <m
	is "$rc $(copies)" '0 1' "$what: after a day it is delivered in any case" || diag "$(cat err)"
done

what='without a sandbox'
# What the sandbox is for: without it that record is followed, with the user's rights.
lie "$D/N" "$D/N"
run='strace -f -o trace.out -e trace=landlock_create_ruleset -e inject=landlock_create_ruleset:error=ENOSYS'
lda <m
run=
is "$rc $(copies) $(copies_in N)" '0 0 1' 'without a sandbox: what is staged in the other mailbox is published there'
plan
