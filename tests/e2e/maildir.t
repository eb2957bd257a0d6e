#!/bin/sh
# Deliveries into a Maildir, seen from outside: bytes, names, modes, and what is the same message.
# shellcheck disable=SC2059 # $head is part of formats
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

# The README's scenario.
printf 'Message-ID: <a@b>\n\nhi\n' >m
mailbox=maildir:M/ ledger=bdb:L
exits 0 'first delivery, relative paths' -v <m
says "^action=delivered msgid=<a@b> fp=[0-9a-f]{16} user=[^ ]+ mailbox=maildir:$D/M size=22 ms=[0-9]+\$" 'it logs what was done'
fp=$(sed -n 's/.* fp=\([0-9a-f]*\) .*/\1/p' err)
is "$(copies)" 1 'one file in new/'
same "$(only)" m 'with exactly these bytes'
name=$(basename "$(only)")
matches "$name" "^[0-9]+\.M[0-9]{6}P[0-9]+R[0-9a-f]{8}F$fp\.[^/:,]+,S=22\$" 'its name has time, fingerprint, host and size'
exits 0 'second delivery' -v <m
says "^action=duplicate msgid=<a@b> fp=$fp .* first=20[0-9-]{8}T[0-9:]{8}Z age=[0-9]+ gap=[0-9]+s proof=same-chain sure=no\$" 'it logs when the first came'
is "$(copies)" 1 'still one file in new/'
is "$(basename "$(only)")" "$name" 'the same one'
is "$(staged)" 0 'none in tmp/'
is "$(lines log)" 2 'two lines in the log'
mailbox=maildir:$D/M ledger=bdb:$D/L

# Bytes: what is in `in` arrives as `want`.
exact() {	# exact NAME OPTION...
	what=$1
	shift
	fresh
	exits 0 "$what" -o ledger=none "$@" <in
	same "$(only)" want "$what: the bytes"
	matches "$(only)" ",S=$(wc -c <want)\$" "$what: the size in the name"
	is "$(staged)" 0 "$what: nothing is left in tmp/"
}
unchanged() { cp in want; exact "$@"; }	# unchanged NAME OPTION...
large() { yes 'A line of a large message, which outgrows the memory that a message may take.' | head -c 300000; }

head='Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <1@x>\nSubject: s\n'
printf "$head"'\nFrom here to there\n>From x\n.\n..\n' >in
unchanged 'small message'
printf "$head"'\nhi\n' | sed 's/$/\r/' >in
unchanged 'CRLF'
{ printf "$head"'\na\000b\000\n\000' && head -c 1000 /dev/urandom; } >in
unchanged 'NUL and other bytes'
printf "$head"'\nhi' >in
unchanged 'no last newline'
printf "$head" >in
unchanged 'header only'
printf 'Subject: s' >in
unchanged 'half a header line'
printf '\nno header\n' >in
unchanged 'no header'
printf 'this is no header\n' >in
unchanged 'text'
printf '\n' >in
unchanged 'one newline'
: >in
unchanged 'nothing at all'
printf 'Message-ID: <nul\000@x>\n\nhi\n' >in
unchanged 'NUL in the Message-ID'
{ printf "$head"'\n' && large; } >in
unchanged 'large message'
{ printf "$head"'\n' && large && printf 'last'; } >in
unchanged 'large, no last newline'
{ printf "$head"'\n' && large; } | sed 's/$/\r/' >in
unchanged 'large, CRLF'
{ printf "$head"'\n' && head -c 400000 /dev/urandom; } >in
unchanged 'large, random bytes'
{ printf 'X: ' && head -c 300000 /dev/zero | tr '\0' x && printf '\nMessage-ID: <1@x>\n\nhi\n'; } >in
unchanged 'a header line larger than the memory for a message'
for size in 262143 262144 262145; do
	{ printf "$head"'\n' && large; } | head -c $size >in
	unchanged "$size bytes"
done

# The MTA's lines at the top.
printf 'From s@x Fri Nov 20 12:00:00 2026\n>From t@x Fri\n'"$head"'\nFrom u\n' >in
printf "$head"'\nFrom u\n' >want
exact 'From_ lines are stripped' -o add-headers=
printf 'Return-Path: <s@x>\n'"$head"'\nFrom u\n' >want
exact 'the sender of the From_ line becomes the Return-Path'
printf 'From MAILER-DAEMON Fri Nov 20 12:00:00 2026\n'"$head"'\nhi\n' >in
printf 'Return-Path: <>\n'"$head"'\nhi\n' >want
exact 'the null sender of the From_ line'
{ printf 'From s@x Fri Nov 20 12:00:00 2026\n'"$head"'\n' && large; } >in
{ printf 'Return-Path: <s@x>\n'"$head"'\n' && large; } >want
exact 'large, with a From_ line'

# Added header lines.
printf "$head"'\nhi\n' >in
printf 'Return-Path: <s@x>\nDelivered-To: r+e@x\n'"$head"'\nhi\n' >want
exact '-f and -a' -f s@x -a r+e@x
printf 'Return-Path: <>\n'"$head"'\nhi\n' >want
exact 'the null sender' -f '<>'
exact 'the null sender, empty' -f ''
printf 'Delivered-To: r@x\n'"$head"'\nhi\n' >want
exact 'only Delivered-To' -o add-headers=delivered-to -f s@x -a r@x
cp in want
exact 'none' -o 'add-headers={}' -f s@x -a r@x
exact 'a sender that would break out of its line' -f 'a>b
X: y@x'
exact 'a recipient that would break out of its line' -a 'a
X: y@x'
printf 'return-path : <old@x>\nDelivered-To: r@x\nReturn-Path: <older@x>\n folded\n'"$head"'\nReturn-Path: <body@x>\n' >in
printf 'Return-Path: <s@x>\nDelivered-To: r@x\n'"$head"'\nReturn-Path: <body@x>\n' >want
exact 'old Return-Path fields go, Delivered-To is not doubled' -f s@x -a R@X
printf 'Delivered-To: q@x\n' >want
cat in >>want
exact 'without -f the old Return-Path stays; another Delivered-To is added' -a q@x
{ printf 'Return-Path: <old@x>\n'"$head"'\n' && large; } >in
{ printf 'Return-Path: <s@x>\nDelivered-To: r@x\n'"$head"'\n' && large; } >want
exact 'large, with both' -f s@x -a r@x

# Modes, whatever the umask.
fresh
umask 0
exits 0 'umask 0' <m
umask 022
is "$(find M -type d -exec stat -c %a {} + | sort -u)" 700 'folders of a Maildir: 0700'
is "$(find M -type d | sort | tr '\n' ' ')" 'M M/cur M/new M/tmp ' 'there are four'
is "$(find M -type f -exec stat -c %a {} + | sort -u)" 600 'its files: 0600'
is "$(find L -type d -exec stat -c %a {} + | sort -u)" 700 "the ledger's folders: 0700"
is "$(find L -type f -exec stat -c %a {} + | sort -u)" 600 "the ledger's files: 0600"
fresh
mkdir M
exits 0 'an empty folder becomes a Maildir' <m
is "$(copies)" 1 'it has the message'
fresh
mkdir -p M/tmp M/new M/cur
chmod 777 M
defers 'writable by everybody' 'a Maildir that everybody can write' <m
is "$(copies)$(staged)" 00 'nothing is in it'

# What is not made.
defers 'open folder' 'a missing parent' -o "mailbox=maildir:$D/home/missing/M" <m
ok 'it is not made' not test -e home/missing
alien=/tmp/dedup-lda-e2e.$$
defers 'not the user.s own' 'a missing Maildir in a folder of somebody else' -o "mailbox=maildir:$alien" <m
ok 'it is not made' not test -e "$alien"
HOME=$D/gone lda -o mailbox='maildir:~/Maildir' -o ledger=none <m
is "$rc" 75 'a missing home: exit 75'
ok 'it is not made' not test -e gone

# Folders.
fresh
mkdir -p M/.work/tmp M/.work/new M/.work/cur
exits 0 'an existing folder' -v -m work <m
is "$(copies_in M/.work) $(copies)" '1 1' 'the message is there'
says '^action=delivered .* folder=work ' 'the log says so'
does duplicate 'the same without -m' <m
is "$(copies)" 1 'the folder does not count'
message 2 >m2
exits 0 'with a dot in front' -m .work <m2
is "$(copies_in M/.work)" 2 'the same folder'
message 3 >m3
exits 0 'an empty name' -m '' <m3
is "$(copies_in M/.work) $(copies)" '2 3' 'the inbox'
message 4 >in
exits 0 'a missing folder' -v -m play <in
says 'notice="the folder does not exist: using the inbox"' 'the log says so'
is "$(find M/new -type f | wc -l)" 2 'the inbox has it'
ok 'it is not made' not test -e M/.play
message 5 >m5
exits 0 'create-folders = yes' -m play.ground -o create-folders=yes <m5
is "$(copies_in M/.play.ground)" 1 'the folder has it'
ok 'it is marked as a folder' test -f M/.play.ground/maildirfolder
is "$(find M/.play.ground ! -name '*,S=*' | sort | tr '\n' ' ')" \
    'M/.play.ground M/.play.ground/cur M/.play.ground/maildirfolder M/.play.ground/new M/.play.ground/tmp ' 'and whole'
everything() { find . -path ./L -prune -o ! -path './M/*,S=*' -print | sort; }
: >before
: >after
everything >before
i=10
for folder in ../x a/b / . .. ... ..x x. a..b /etc .a/../.. "$(printf 'a\nb')" "$(printf '\033[2J')" "$(printf '\177')" \
    "$(printf '%0300d' 0)"; do
	i=$((i + 1))
	message $i >in
	exits 0 "hostile folder name $i" -m "$folder" -o create-folders=yes <in
done
everything >after
same after before 'hostile names make nothing'
is "$(find M/new -type f | wc -l)" $((i - 8)) 'their messages are in the inbox'
mkdir elsewhere
ln -s ../elsewhere M/.link
message 6 >m6
defers 'open folder' 'a folder that is a symbolic link' -m link <m6
is "$(find elsewhere | wc -l)" 1 'nothing is where it points'

# What is the same message.
{
	printf 'Received: from a by b; Fri, 20 Nov 2026 12:00:00 +0000\nDate: Fri, 20 Nov 2026 12:00:00 +0000\n'
	printf 'From: a@x\nTo: b@x\nMessage-ID: <1@x>\nSubject: s\n\nline one\nline  two\n'
} >base
twice() {	# twice WANTED NAME OPTION...: how many copies of `base` and then `in` arrive
	want=$1 what=$2
	shift 2
	fresh
	lda "$@" <base
	first=$rc
	lda "$@" <in
	is "$first $rc $(copies) $(staged)" "0 0 $want 0" "$what"
}
is_same() { twice 1 "same: $1"; }
differs() { twice 2 "another: $1"; }
cp base in
is_same 'the same bytes'
sed 's/^Received: .*/Received: from c by d; Sat, 21 Nov 2026 12:00:00 +0000/' base >in
is_same 'another Received'
{ printf 'Received: from d by e\nDelivered-To: b@x\nReturn-Path: <a@x>\nX-Original-To: b@x\n' && cat base; } >in
is_same 'more trace fields'
sed 's/$/\r/' base >in
is_same 'CRLF'
sed -e 's/one$/one   /' -e 's/line  two/line two/' base >in
is_same 'blanks in the body'
{ cat base && printf '\n\n'; } >in
is_same 'empty lines at the end'
sed 's/^Message-ID: /MESSAGE-ID:\n\t/' base >in
is_same 'folded Message-ID'
{ printf 'From a@x Fri Nov 20 12:00:00 2026\n' && cat base; } >in
is_same 'From_ line'
sed 's/two/TWO/' base >in
differs 'same Message-ID, other body'
sed 's/<1@x>/<2@x>/' base >in
differs 'other Message-ID, same body'
sed 's/<1@x>/<1@X>/' base >in
differs 'the case of the Message-ID'
sed 's/^Date: Fri, 20/Date: Sat, 21/' base >in
differs 'another Date'
sed 's/^Subject/List-Id: <l.x>\nSubject/' base >in
differs 'a List-Id'
{ printf 'Resent-Message-ID: <r@x>\n' && cat base; } >in
differs 'a Resent-Message-ID'
{ printf 'Resent-Message-ID: <r@x>\n' && cat base; } >base.resent
{ printf 'Resent-Message-ID: <q@x>\n' && cat base; } >in
cp base base.plain && cp base.resent base
differs 'another Resent-Message-ID'
cp base.plain base
sed 's/line  two/line two/' base >in
twice 2 'another: blanks, with body = simple' -o body=simple
sed 's/^Date: Fri, 20/Date: Sat, 21/' base >in
twice 1 'same: another Date that does not count' -o fingerprint-headers=list-id
sed '/^Message-ID/d' base.plain >base
cp base in
is_same 'no Message-ID, same Date, From, To, Subject'
for field in Date From To Subject; do
	sed "s/^$field: /$field: x/" base >in
	differs "no Message-ID, another $field"
done
sed '/^Date/d' base >base.none
cp base.none base && cp base in
differs 'neither Message-ID nor Date'
ok 'the log shows no fingerprint' not grep -q fp= log
ok "the ledger holds nothing" not test -e L/env
{ cat base.plain && large; } >base
cp base in
is_same 'large message'

# alias-copies
fresh
for a in sales@x SALES@x info@x; do
	exits 0 "alias-copies = each, $a" -o alias-copies=each -a $a <m
done
is "$(copies)" 2 'one copy for each recipient, in whatever case'
fresh
for a in sales@x info@x; do
	exits 0 "alias-copies = one, $a" -a $a <m
done
is "$(copies)" 1 'one copy'

# ledger = none
fresh
exits 0 'ledger = none' -o ledger=none <m
exits 0 'ledger = none, again' -o ledger=none <m
is "$(copies)" 2 'each is delivered'

# on-duplicate
fresh
does delivered 'first copy' -o on-duplicate=folder:Dup <m
does filed 'on-duplicate = folder' -o on-duplicate=folder:Dup <m
is "$(copies) $(copies_in M/.Dup)" '2 1' 'the second one is in that folder'
same "$(only_in M/.Dup)" m 'unchanged'
{ message large && large; } >big
does delivered 'large, first copy' -o on-duplicate=folder:Dup <big
does filed 'large, on-duplicate = folder' -o on-duplicate=folder:Dup <big
is "$(copies) $(copies_in M/.Dup)" '4 2' 'the second one is in that folder'
ok 'unchanged' cmp "$(find M/.Dup/new -size +200k)" big
fresh
does delivered 'first copy' -o on-duplicate=tag <m
first=$(basename "$(only)")
does tagged 'on-duplicate = tag' -o on-duplicate=tag <m
find M/new -type f ! -name "$first" -exec cp {} tagged \;
matches "$(head -n 1 tagged)" '^X-Dedup-Lda: duplicate; first=20[0-9-]{8}T[0-9:]{8}Z; fingerprint=[0-9a-f]{64}$' 'the tag'
tail -n +2 tagged >got
same got m 'and the message'
is "$(staged)" 0 'nothing is left in tmp/'

# The window.
fresh
message window >in
does delivered 'window = 1s' -o window=1s <in
sleep 3
does delivered 'after it has passed' -o window=1s <in
does duplicate 'with a longer window' <in
is "$(copies)" 2 'two copies'

# Durability: how often the agent waits for the disk.
if can_trace; then
	fresh
	lda <m
	message traced >in
	run="strace -f -o trace.out -e trace=$SYNC"
	exits 0 'traced' <in
	if syncs_entries; then
		is "$(grep -c 'sync.*= 0$' trace.out)" 3 'three syncs for a new message'
	else
		skip 'three syncs for a new message' 'needs ext4, XFS or Btrfs'
	fi
	exits 0 'traced again' <in
	is "$(grep -c sync trace.out)" 0 'none for a duplicate'
	exits 0 'traced, without a ledger' -o ledger=none <in
	syncs_entries && wanted=2 || wanted=3
	is "$(grep -c 'sync.*= 0$' trace.out)" "$wanted" 'the file and new/ without a ledger'
	message strict >in
	exits 0 'traced, sync = strict' -o sync=strict <in
	ok 'more syncs with sync = strict' test "$(grep -c 'sync.*= 0$' trace.out)" -gt 3
	run="strace -f -o trace.out"
	message counted >in
	lda <in
	echo "# system calls for a new message: $(lines trace.out)"
	lda <in
	echo "# system calls for a duplicate: $(lines trace.out)"
	run=
else
	skip 'syncs' 'strace can not trace here'
fi

# A process that died after the decision: the next copy finishes its work.
pending() {	# pending CALLS WHEN [PATH]: deliver `in` and be killed there
	fresh
	message other >in
	lda <in
	rm -f M/new/*
	message pending >in
	run=$(kill_at "$@")
	lda <in
	run=
}
sweep() { "$BUILD/dedupdb" -o "mailbox=$mailbox" -l "$ledger" recover >swept; }
records() { "$BUILD/dedupdb" -l "$ledger" list --pending | wc -l | tr -d ' '; }
if can_trace; then
	pending "$RENAME" 1
	is "$(copies) $(staged) $(records)" '0 1 1' 'killed before the rename: staged and recorded'
	does helped 'the next copy' <in
	is "$(copies) $(staged) $(records)" '1 0 0' 'one copy'
	same "$(only)" in 'with its bytes'
	does duplicate 'the copy after that' <in
	is "$(copies)" 1 'one copy'

	pending "$RENAME" 1
	ok 'dedupdb recover' sweep
	is "$(copies) $(staged) $(records)" '1 0 0' 'it publishes it as well'
	does duplicate 'the next copy' <in

	{ message pending && large; } >in
	run=$(kill_at "$RENAME" 2)
	fresh
	lda <in
	run=
	is "$(copies) $(staged) $(records)" '0 1 1' 'a large one, killed before it is published'
	does helped 'the next copy' <in
	is "$(copies) $(staged) $(records)" '1 0 0' 'one copy'
	same "$(only)" in 'with its bytes'

	pending fsync 1 "$D/M/new"
	is "$(copies) $(staged) $(records)" '1 0 1' 'killed after the rename: published, still pending'
	does helped 'the next copy' <in
	is "$(copies) $(staged) $(records)" '1 0 0' 'one copy'

	pending fsync 1 "$D/M/new"
	mv M/new/* "M/cur/$(basename "$(only)"):2,S"
	does helped 'the user has read it: the next copy' <in
	is "$(copies)" 1 'one copy'
	pending fsync 1 "$D/M/new"
	rm M/new/*
	does helped 'the user has deleted it: the next copy' <in
	does duplicate 'and the copy after that' <in
	is "$(copies)" 0 'it stays deleted'

	pending fsync,fdatasync 1 "$D/L/env/log.0000000001"
	is "$(copies)" 0 'killed in the commit: nothing is visible'
	exits 0 'the next copy' <in
	is "$(copies)" 1 'one copy'
	does duplicate 'the copy after that' <in

	pending fsync 1
	is "$(copies) $(staged) $(records)" '0 1 0' 'killed before the decision: nothing but a left-over file'
	does delivered 'the next copy' <in
	is "$(copies) $(staged)" '1 1' 'one copy; the left-over file stays'

	# The sweeper.
	orphan=$(find M/tmp -type f)
	touch -d '35 hours ago' "$orphan"
	touch -d '100 hours ago' M/tmp/1577836800.12345_1.host M/tmp/notes
	ok 'recover' sweep
	is "$(staged)" 3 'nothing younger than 36 h is removed, nor what is not ours'
	touch -d '37 hours ago' "$orphan"
	ok 'recover while its writer lives' flock "$orphan" sh -c "'$BUILD/dedupdb' -o 'mailbox=$mailbox' -l '$ledger' recover >swept"
	is "$(staged)" 3 'nothing is removed'
	ok 'recover' sweep
	is "$(staged)" 2 'an old one of ours is removed'
	ok 'it is the right one' not test -e "$orphan"
	is "$(copies)" 1 'the message stays'
	pending "$RENAME" 1
	touch -d '100 hours ago' M/tmp/*
	chmod 500 M/new
	ok 'recover can not publish' not sweep 2>sweep.err
	is "$(staged)" 1 'a stage that a record names is kept, however old'
	chmod 700 M/new
	does helped 'the next copy' <in
	is "$(copies) $(staged)" '1 0' 'one copy'
else
	skip 'recovery' 'strace can not trace here'
fi

# new/ is replaced while the message is read: it is still in tmp/, which is no proof that anybody has published it.
fresh
message replaced >in
mkfifo slowly
{ lda && exit "$rc"; } <slowly &
exec 8>slowly
has_opened() { readlink /proc/[0-9]*/fd/* | grep -qx "$D/M/new"; }
ok 'the agent has opened new/' wait_for has_opened
rmdir M/new && mkdir -m 700 M/new
cat in >&8
exec 8>&-
wait $!
is "$? $(copies) $(staged) $("$BUILD/dedupdb" -l "$ledger" list --pending | wc -l | tr -d ' ')" '75 0 1 1' 'new/ is replaced: it has to come again'
does helped 'the next copy' <in
is "$(copies) $(staged)" '1 0' 'new/ is replaced: one copy in the end'
does duplicate 'and no more' <in

# What can't be published and is in no record would be left once more by each retry.
fresh
mkdir -p M/tmp M/cur M/new
chmod 500 M/new
if [ "$(id -u)" -ne 0 ]; then
	exits 75 'new/ can not be written, no ledger' -o ledger=none <in
	is "$(staged)" 0 'nothing is left in tmp/'
else
	skip 'new/ can not be written' 'root may'
fi
plan
