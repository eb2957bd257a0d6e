#!/bin/sh
# dedupdb dedupe: copies in mailboxes that this script fills by itself. tests/crash kills it, and has a reader beside it.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
schemas=$(cd "$OLDPWD" && cd "$(dirname "$0")/../schemas" && pwd)

# shellcheck disable=SC2154 # mailbox is tap.sh's
db() {	# db ARGUMENT...: rc, out and err
	"$BUILD/dedupdb" -o "mailbox=$mailbox" -o ledger=none "$@" >"$D/out" 2>"$D/err"
	rc=$?
}
gives() {	# gives CODE NAME ARGUMENT...
	want=$1 title=$2
	shift 2
	db "$@"
	is "$rc" "$want" "$title: exit $want" || diag "$(cat out err)"
}
# has NAME LINE...: every line is in the output
has() {
	title=$1
	shift
	for line in "$@"; do
		grep -Fq -e "$line" out || { result 1 "$title"; diag "no line has: $line" "$(cat out)"; return; }
	done
	result 0 "$title"
}
lacks() { not grep -Fq -e "$2" out; result $? "$1" || diag "$(cat out)"; }	# lacks NAME TEXT
# json EXPRESSION WANTED NAME: of the list g of all groups, and t, the total
json() {
	got=$(python3 -c "import json; o=[json.loads(l) for l in open('out')]; t=o[-1]['total']; g=sorted(o[:-1], key=lambda x: x['stays']['date']); print($1)" 2>&1)
	is "$got" "$2" "$3"
}
schema() {	# schema NAME: the output is as the schema says
	"$schemas/validate" dedupe out >why 2>&1
	said=$?
	if [ $said -eq 77 ]; then skip "$1" "$(cat why)"; else result $said "$1" || diag "$(head -n 5 why)"; fi
}
msg() {	# msg ID HOP [BODY]
	printf 'Received: by %s\nMessage-ID: <%s@example.org>\nDate: Fri, 20 Nov 2026 12:00:00 +0000\nSubject: %s\n\n%s\n' "$2" "$1" "$1" \
	    "${3:-The text.}"
}
maildir() { for f in "$@"; do mkdir -p "$f/tmp" "$f/new" "$f/cur"; done; }
files() { (cd M && find . -type f ! -name maildirfolder | sort); }
fresh() {
	rm -rf M
	maildir M M/.Archive
	msg a one >M/cur/1790000001.M1.h:2,S
	msg a two >M/new/1790000002.M1.h
	msg a three 'The  text.' >M/cur/1790000003.M1.h,S=99:2,FR
	msg a other 'Another text.' >M/cur/1790000004.M1.h:2,
	msg b one >M/cur/1790000005.M1.h:2,
	msg b one >M/.Archive/cur/1790000006.M1.h:2,S
	printf 'Subject: nothing\n\nnobody\n' | tee M/new/1790000007.M1.h >M/new/1790000008.M1.h
	msg a staged >M/tmp/1790000009.M1.h
}

fresh
files >before
gives 0 'look' dedupe M
has 'which one stays, and what moves' 'stays  2026-09-21T14:13:21' 'moves  2026-09-21T14:13:22' 'moves  2026-09-21T14:13:23' \
    'INBOX  cur/1790000001.M1.h:2,S' '<a@example.org>' 'flags become FRS, were S'
has 'totals' '8 messages read, among them 2 copies of 1 message, ' 'Nothing was changed.'
lacks 'another body is another message' 1790000004
lacks 'a message that nothing identifies is left alone' 1790000007
lacks 'a copy that was filed is left alone' Archive
files | diff before - >diff.out
is $? 0 'looking changes nothing' || diag "$(cat diff.out)"
fp=$(sed -n '1s/ .*//p' out)
"$BUILD/dedupdb" -o "mailbox=$mailbox" -l none show M/cur/1790000001.M1.h:2,S >shown
ok 'the fingerprint is the one that show prints' grep -q "$fp" shown
gives 0 'verbose' dedupe -v M
has 'it names the fields that differ' 'differs: received'
gives 0 'JSON' dedupe --json --verbose M
schema 'JSON: as in dedupe.json'
json 'len(g), t["messages"], t["unknown"], t["copies"], t["moved"]' '1 8 2 2 0' 'totals'
json 'g[0]["message_id"], g[0]["stays"]["flags"], g[0]["stays"]["new_flags"], [c["path"] for c in g[0]["copies"]]' \
    "<a@example.org> S FRS ['new/1790000002.M1.h', 'cur/1790000003.M1.h,S=99:2,FR']" 'the group'
json 'g[0]["copies"][0]["differs"], g[0]["copies"][0]["state"]' "['received'] here" 'differences'
gives 0 'since: only younger ones' dedupe --since @1790000002 M
has 'the first of these stays' 'stays  2026-09-21T14:13:22' 'among them 1 copy of 1 message'
gives 0 'across' dedupe --folders across M
has 'the copy in the folder is one' 'Archive  .Archive/cur/1790000006.M1.h:2,S' 'among them 3 copies of 2 messages'
gives 0 'the inbox only' dedupe --folders=inbox M
has 'fewer are read' '7 messages read'

gives 0 'apply' dedupe --apply M
has 'it says how many' '; 2 moved to .Duplicates'
files >after
cat >wanted <<'END'
./.Archive/cur/1790000006.M1.h:2,S
./.Duplicates/cur/1790000003.M1.h,S=99:2,FR
./.Duplicates/new/1790000002.M1.h
./cur/1790000001.M1.h:2,FRS
./cur/1790000004.M1.h:2,
./cur/1790000005.M1.h:2,
./new/1790000007.M1.h
./new/1790000008.M1.h
./tmp/1790000009.M1.h
END
same after wanted 'the others are in .Duplicates, the flags merged, nothing else touched'
gives 0 'again' dedupe --apply M
has 'nothing is left to do' 'no copies'
files | diff after - >diff.out
is $? 0 'and nothing is done' || diag "$(cat diff.out)"

fresh
maildir M/.Duplicates
msg c x >M/.Duplicates/new/1790000002.M1.h
cp M/.Duplicates/new/1790000002.M1.h kept
gives 0 'a name that is taken' dedupe --apply M
same M/.Duplicates/new/1790000002.M1.h kept 'its owner is as it was'
is "$(find M/.Duplicates/new -type f | wc -l | tr -d ' ')" 2 'and the copy has a new name'
ok 'with its size' sh -c 'ls M/.Duplicates/new | grep -Eq "^[0-9.]+M[0-9]+P.*,S=[0-9]+$"'

# flags
flags() {	# flags NAME FIRST SECOND WANTED: of two copies; the first is the older one
	rm -rf M
	maildir M
	msg a one >"M/$2"
	msg a two >"M/$3"
	db dedupe --apply M
	is "$(cd M && find new cur -name '1790000001*' | sed 's|.*/||')" "$4" "flags: $1" || diag "$(cat out err)"
}
flags 'trashed is kept only if all are' cur/1790000001.h:2,ST cur/1790000002.h:2, 1790000001.h:2,S
flags 'all are trashed' cur/1790000001.h:2,T cur/1790000002.h:2,ST 1790000001.h:2,ST
flags 'draft is kept only if all are' cur/1790000001.h:2, cur/1790000002.h:2,D 1790000001.h:2,
flags 'passed' cur/1790000001.h:2, cur/1790000002.h:2,P 1790000001.h:2,P
flags 'keywords of its folder' cur/1790000001.h:2,Sa cur/1790000002.h:2,b 1790000001.h:2,Sab
flags 'new, and the copy was read' new/1790000001.h cur/1790000002.h:2,S 1790000001.h:2,S
is "$(ls M/cur)" 1790000001.h:2,S 'it has moved to cur'
flags 'new, and the copy was not read' new/1790000001.h cur/1790000002.h:2, 1790000001.h
flags 'an info that is no flags stays' cur/1790000001.h:1,x cur/1790000002.h:2,S 1790000001.h:1,x
flags 'two files of one name but for the flags' cur/1790000001.h:2, cur/1790000001.h:2,S 1790000001.h:2,S
is "$(ls M/.Duplicates/cur)" 1790000001.h:2,S 'the other one is aside'

# folders
rm -rf M
maildir M M/.Trash M/.Deleted M/.Junk M/.Sent.2026 M/.Work M/.Play M/.Duplicates
for folder in Trash Deleted Junk; do
	msg a "$folder" >"M/.$folder/cur/1790000001.h:2,S"
done
msg a two >M/cur/1790000002.h:2,
msg a three >M/.Sent.2026/cur/1790000003.h:2,S
msg b one >M/.Work/cur/1790000004.h:2,Sa
msg b two >M/.Play/cur/1790000005.h:2,Fa
msg b three >M/.Duplicates/cur/1790000000.h:2,
gives 0 'across' dedupe --apply --folders=across --json M
schema 'JSON of what was moved: as in dedupe.json'
ok 'what is in the trash, deleted or unwanted, is no copy' test -e M/cur/1790000002.h:2,
ok 'nor what was sent' test -e M/.Sent.2026/cur/1790000003.h:2,S
ok 'the oldest stays; another folder has other keywords' test -e M/.Work/cur/1790000004.h:2,FSa
ok 'the other one is aside, what lies there is not looked at' test -e M/.Duplicates/cur/1790000005.h:2,Fa
rm -rf M/.Work M/.Play
maildir M/.Work
ln -s .Work M/.Play
msg b one >M/.Work/cur/1790000004.h:2,
gives 0 'a folder with two names' dedupe --apply --folders=across M
ok 'is looked into once' test -e M/.Work/cur/1790000004.h:2,
rm M/.Play
maildir Other
msg d one >Other/cur/1790000001.h:2,
msg d two >Other/cur/1790000002.h:2,
ln -s ../Other M/.Other
gives 0 'a folder that is a link' dedupe --apply M
is "$(find Other -type f | wc -l | tr -d ' ')" 2 'is left alone'

# each recipient gets a copy
rm -rf M
maildir M
{ echo 'Delivered-To: Joe@example.org'; msg a one; } >M/cur/1790000001.h:2,
{ echo 'Delivered-To: info@example.org'; msg a one; } >M/cur/1790000002.h:2,
{ echo 'Delivered-To: joe@example.org'; msg a two; } >M/cur/1790000003.h:2,
gives 0 'alias-copies = each' -o alias-copies=each dedupe M
has 'only copies for one recipient' 'among them 1 copy of 1 message' 1790000003
gives 0 'alias-copies = one' dedupe M
has 'all copies' 'among them 2 copies of 1 message'

# trouble
chmod 500 M/cur
gives 75 'a folder that is not writable' dedupe --apply M
says 'left (its copies )?where (it is|they are)' 'it says so'
chmod 700 M/cur
is "$(find M -name '179*' | wc -l | tr -d ' ')" 3 'nothing is lost'
gives 64 'no mailbox' dedupe
gives 64 'two mailboxes' dedupe M M
gives 64 'unknown folders' dedupe --folders=some M
gives 64 'no time' dedupe --since=never M
gives 66 'a mailbox that is not there' dedupe nowhere
gives 66 'no Maildir' dedupe home
gives 64 'a folder of a Maildir' dedupe --apply M/.Duplicates
says 'name the Maildir' 'it says what to do'

# mbox
{ for i in 1 2 3; do
	printf 'From joe@example.org Fri Nov 20 12:00:0%s 2026\n' $i
	msg "$((i % 2))" "hop$i"
	printf '>From me\n\n'
done; } >box
cp box box.before
gives 0 'an mbox' dedupe -v box
has 'messages by their number' 'stays  2026-11-20T12:00:01' 'message 1' 'copy   2026-11-20T12:00:03' 'message 3' '<1@example.org>' \
    'differs: received'
gives 0 'an mbox as JSON' dedupe --json box
schema 'an mbox as JSON: as in dedupe.json'
json 'g[0]["stays"]["number"], g[0]["copies"][0]["number"], t["copies"]' '1 3 1' 'the same'
{ for i in 3 1; do
	printf 'From joe@example.org Fri Nov 20 12:00:0%s 2026\n' $i
	msg 1 "hop$i"
	printf '\n'
done; } >late
gives 0 'an mbox whose oldest message is not its first' dedupe -v late
has 'the oldest one stays' 'stays  2026-11-20T12:00:01' 'message 2' 'copy   2026-11-20T12:00:03' 'message 1'
gives 64 'an mbox is not changed' dedupe --apply box
says 'is an mbox: .* with a mail reader' 'it says why and what to do'
same box box.before 'it is as it was'
plan
