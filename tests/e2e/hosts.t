#!/bin/sh
# Two hosts with one ledger, one step after another: with a Maildir, an mbox or a target that they share, and with one of their own each under
# the same path. The hosts are two names on this machine; `swap` puts the other one's mailbox in place.
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
can_trace || {
	echo '1..0 # SKIP system calls can not be traced here'
	exit 0
}
message 1 >m
maildirs() { rm -rf M.b; fresh; mkdir -p M/tmp M/new M/cur M.b/tmp M.b/new M.b/cur; }
swap() { mv "$mine" between && mv "$mine.b" "$mine" && mv between "$mine.b"; }
mine=M
pending() { "$BUILD/dedupdb" -l "$ledger" list --pending | wc -l | tr -d ' '; }
dies() {	# dies HOST CALL PATH NAME: that host's delivery is killed there
	run=$(kill_at "$2" 1 "$3")
	lda -o "host=$1" <m 2>run.err
	run=
	is "$rc $(pending)" '137 1' "$4"
}
recovers() {	# recovers HOST WANTED NAME
	db 0 "$3" -o "host=$1" recover
	prints "^$2" "$3: $2"
}
left_to() {	# left_to HOST NAME: the last delivery
	is "$rc" 75 "$2: exit 75"
	matches "$(cat err)" "^4\\.3\\.0 host $1 has begun to deliver a copy, and it can't be seen in " "$2: says whose it is"
	is "$(lines err)" 1 "$2: in one line"
	tells "would defer: host $1 is to finish the delivery of another copy, which can't be seen here, begun at 20" "$2: a dry run says so"
}
tells() {	# tells PATTERN NAME OPTION...: a dry run of host b
	pattern=$1 title=$2
	shift 2
	lda -n -o host=b "$@" <m
	prints "^$pattern" "$title"
}
older() { ok "$1 s later" ledger_edit "$D/L" age "$1"; }

# A ledger of this host's own: no marker, nor any system call more; and a name in it.
maildirs
dies '' "$RENAME" "$D/M/new" 'alone: killed before the rename'
is "$(staged)" 1 'alone: the stage, and no marker'
recovers '' '1 settled' 'alone: recover'
is "$(copies) $(staged)" '1 0' 'alone: published'
maildirs
does delivered 'with a name: delivered' -o host=a <m
is "$(copies) $(staged)" '1 0' 'with a name: no marker is left'
does duplicate 'with a name: a copy at the other host' -o host=b <m
is "$(copies) $(staged)" '1 0' 'with a name: one copy, nothing left'
defers 'host: .* is not a value' 'a name with a blank' -o 'host=a b' <m

# A Maildir that both have.
maildirs
dies a "$RENAME" "$D/M/new" 'shared: host a is killed before the rename'
is "$(staged)" 2 'shared: a stage and its marker'
tells 'would finish the delivery of another copy' 'shared: a dry run on host b'
does helped 'shared: host b finishes it' -o host=b <m
is "$(copies) $(staged)" '1 0' 'shared: one copy, nothing left'
does duplicate 'shared: the retry at host a' -o host=a <m
maildirs
dies a "$SYNC" "$D/M/new" 'shared, moved: host a is killed after the rename'
is "$(copies) $(staged)" '1 1' 'shared, moved: published, and the marker is there'
mv M/new/* taken
does helped 'shared, moved: host b proves that it was published' -o host=b <m
is "$(copies) $(staged)" '0 0' 'shared, moved: not delivered again'
maildirs
dies a "$RENAME" "$D/M/new" 'shared: killed again'
db 0 'shared: list' --json list --pending
"$here/../schemas/validate" list out >why 2>&1
valid=$?
case $valid in
77) skip 'shared: list, as its schema has it' "$(cat why)" ;;
*) is "$valid" 0 'shared: list, as its schema has it' ;;
esac
prints '"host": *"a"' 'shared: the host is a'
recovers b '1 settled, 0 left' 'shared: recover on host b'
is "$(copies) $(staged)" '1 0' 'shared: recovered once'

maildirs
dies a "$RENAME" "$D/M/new" 'another mailbox: killed'
mailbox=maildir:$D/other
recovers b '0 settled, 0 left, 0 dropped, 0 failed' 'another mailbox in the same ledger'
mailbox=maildir:$D/M
recovers b '1 settled' 'its own recover'

# One that each has for itself.
maildirs
dies a "$RENAME" "$D/M/new" 'apart: host a is killed before the rename'
swap
lda -o host=b <m
left_to a 'apart: host b'
matches "$(cat log)" 'action=deferred.*host a has begun' 'apart: the log says it, too'
is "$(copies)" 0 'apart: nothing is delivered there'
recovers b '0 settled, 1 left, 0 dropped, 0 failed' 'apart: recover on host b'
mv M gone
recovers b '0 settled, 1 left, 0 dropped, 0 failed' 'apart: recover on host b, which has no mailbox at all'
mv gone M
swap
recovers a '1 settled' 'apart: recover on host a'
is "$(copies)" 1 'apart: delivered there'
swap
does duplicate 'apart: the retry at host b' -o host=b <m
is "$(copies) $(staged)" '0 0' 'apart: not twice'

maildirs
dies a "$RENAME" "$D/M/new" 'apart: host a is killed, and does not come back'
swap
older 86000
lda -o host=b <m
left_to a 'apart, on that day'
older 500
tells 'would finish' 'apart, a day later: a dry run'
does delivered 'apart, a day later: host b' -o host=b <m
is "$(copies)" 1 'apart, a day later: delivered'
swap
recovers a '0 settled' 'apart, a day later: host a comes back'
is "$(copies)" 0 'apart, a day later: its stage is not published any more'

# A copy of the tree, as rsync makes it, and an old snapshot put back in place: neither proves that the message is there.
maildirs
dies a "$RENAME" "$D/M/new" 'a replica: host a is killed before the rename'
rm -rf M.b
cp -a M M.b
find M.b/tmp -type f ! -name '*,marker' -delete
swap
lda -o host=b <m
left_to a 'a replica that has the marker, and not the stage'
is "$(copies)" 0 'a replica: nothing is delivered there'
swap
find M/tmp -type f -delete
does delivered 'a snapshot put back: delivered again' -o host=a <m
is "$(copies)" 1 'a snapshot put back: not lost'

# An mbox.
mailbox=mbox:$D/box mine=box
boxes() { rm -f box.b; fresh; printf 'From o@x Thu Nov 19 12:00:00 2026\n\nold\n\n' >box; cp box box.b; }
ours() { grep -c '^Message-ID: <1@' "$1"; }
boxes
dies a "$SYNC" "$D/box" 'mbox, shared: host a is killed after the append'
does helped 'mbox, shared: host b finds it' -o host=b <m
is "$(ours box)" 1 'mbox, shared: one copy'
boxes
dies a "$SYNC" "$D/box" 'mbox, apart: host a is killed after the append'
swap
lda -o host=b <m
left_to a 'mbox, apart: host b'
is "$(ours box)" 0 'mbox, apart: nothing is appended there'
message 2 >m
does delivered 'mbox, apart: host b delivers other mail' -o host=b <m
message 1 >m
recovers b '0 settled, 1 left' 'mbox, apart: recover on host b'
swap
recovers a '1 settled' 'mbox, apart: recover on host a'
swap
does duplicate 'mbox, apart: the retry at host b' -o host=b <m
is "$(ours box) $(ours box.b)" '0 1' 'mbox, apart: one copy'

# A command: nobody can see how far it got, so only the time says that it is over.
rm -rf L log
cat >take <<'END'
#!/bin/sh
cat >>"$1"
[ ! -e "$1.die" ] || kill -KILL $PPID
END
chmod +x take
mailbox="pipe:$D/take $D/taken.mail"
rm -f taken.mail
touch taken.mail.die
lda -o host=a <m 2>run.err
is "$rc $(pending)" '137 1' 'a command: host a is killed when the command has the message'
rm taken.mail.die
does delivered 'a command: host a itself hands it over again' -o host=a -o time-limit=100s <m
is "$(ours taken.mail)" 2 'a command: at least once'
rm -rf L
touch taken.mail.die
lda -o host=a <m 2>run.err
rm taken.mail.die taken.mail
lda -o host=b -o time-limit=100s <m
is "$rc" 75 'a command: host b waits: exit 75'
matches "$(cat err)" '^4\.3\.0 host a may be handing over a copy' 'a command: says why'
tells 'would defer: host a' 'a command: a dry run says so' -o time-limit=100s
older 100
lda -o host=b -o time-limit=100s <m
is "$rc" 75 'a command: the clocks may differ: exit 75'
older 70
tells 'would hand it over again' 'a command: a dry run when it is over' -o time-limit=100s
does delivered 'a command: time-limit is over on host a' -o host=b -o time-limit=100s <m
is "$(ours taken.mail)" 1 'a command: handed over by host b'
plan
