#!/bin/sh
# At the limits: no permission, no room, no memory to waste, and things that are no mailboxes. Exit 75, nothing visible, and the retry
# delivers once.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
empty() { is "$(copies) $(staged)" '0 0' "$1: nothing visible, nothing left"; }	# empty NAME
once() {	# once NAME: the retry delivers, the copy after that does not
	exits 0 "$1: the retry" <m
	does duplicate "$1: a copy" <m
	is "$(copies) $(staged)" '1 0' "$1: one copy"
}
records() { "$BUILD/dedupdb" -l "$ledger" list --pending | wc -l | tr -d ' '; }

# No permission.
maildir() { fresh; mkdir -p M/tmp M/new M/cur; }
for mode in 500 400 000; do
	maildir
	chmod $mode M/tmp
	defers 'M' "tmp/ with mode $mode" <m
	chmod 700 M/tmp
	empty "tmp/ with mode $mode"
	once "tmp/ with mode $mode"
	maildir
	rmdir M/new
	chmod $mode M
	defers 'M' "a Maildir without new/, with mode $mode" <m
	chmod 700 M
	empty "a Maildir without new/, with mode $mode"
	once "a Maildir without new/, with mode $mode"
	maildir
	chmod $mode M/new
	defers 'M' "new/ with mode $mode" <m
	chmod 700 M/new
	is "$(copies)" 0 "new/ with mode $mode: nothing visible"
	once "new/ with mode $mode"
	fresh
	mailbox=mbox:$D/box
	printf 'From o@x Thu Nov 19 12:00:00 2026\n\nold\n\n' >box
	cp box before
	chmod $mode box
	if [ $mode = 500 ]; then chmod 400 box; fi
	defers 'open mbox' "an mbox with mode $mode" <m
	chmod 600 box
	same box before "an mbox with mode $mode: the file is the same"
	exits 0 "an mbox with mode $mode: the retry" <m
	does duplicate "an mbox with mode $mode: a copy" <m
	is "$(count '^Message-ID: <1@' box)" 1 "an mbox with mode $mode: one copy"
	mailbox=maildir:$D/M
done

# No room: files may not grow beyond a limit.
large() { yes 'a line of a large message' | head -c 4000000; }
cp m m.small
{ cat m.small && large; } >m
limited() {	# a delivery with that limit
	(
		ulimit -f 4096 || exit
		lda <m
		exit "$rc"
	)
	rc=$?
}
maildir
limited
is "$rc" 75 'a Maildir without room: exit 75'
matches "$(head -n 1 err)" '^4\.3\.0 .*File too large' 'the first line says why'
empty 'a Maildir without room'
once 'a Maildir without room'
fresh
mailbox=mbox:$D/box
printf 'From o@x Thu Nov 19 12:00:00 2026\n\nold\n\n' >box
head -c 1900000 /dev/zero | tr '\0' '\n' >>box
cp box before
{ cat m.small && large | head -c 300000; } >m
limited
is "$rc" 75 'an mbox without room: exit 75'
matches "$(head -n 1 err)" '^4\.3\.0 .*File too large' 'the first line says why'
same box before 'an mbox without room: what was appended is taken back'
exits 0 'an mbox without room: the retry' <m
does duplicate 'an mbox without room: a copy' <m
is "$(count '^Message-ID: <1@' box)" 1 'an mbox without room: one copy'
head -c "$(wc -c <before)" box >got
same got before 'an mbox without room: what was there'
{ cat m.small && large; } >m
limited
is "$rc" 75 'a message that is too large for a temporary file: exit 75'
mailbox=maildir:$D/M

# A full disk, where an unprivileged user may mount one of his own.
mkdir disk
: >full.log
# on_disk COMMAND...: in a mount namespace with a small disk, as the same user
on_disk() {
	unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size=2m,mode=700 none disk && shift 0 && exec unshare --user \
	    --map-user=65534 --map-group=65534 "$@"' sh "$@"
}
export BUILD D
# shellcheck disable=SC2016 # the inner shell expands it
if on_disk sh -c 'touch disk/x && [ "$(id -u)" != 0 ]' 2>full.log; then
	{ cat m.small && large; } >m
	on_disk sh -c '
		deliver() {
			"$BUILD/dedup-lda" -o "mailbox=$2" -o "ledger=$3" -o log=stderr <"$1" >>full.out 2>full.err
			rc=$?
			head -n 1 full.err >>full.log
			echo $rc
		}
		files() { find "$1" -type f | wc -l; }
		deliver m maildir:$D/disk/M bdb:$D/L1
		echo "tmp $(files disk/M/tmp) new $(files disk/M/new)"
		deliver m.small maildir:$D/disk/M bdb:$D/L1
		echo "tmp $(files disk/M/tmp) new $(files disk/M/new)"
		rm -r disk/M
		deliver m.small mbox:$D/disk/box bdb:$D/L1
		cp disk/box before
		deliver m mbox:$D/disk/box bdb:$D/L1
		cmp disk/box before && echo same
		rm disk/box
		head -c 4000000 /dev/zero >disk/fill 2>fill.err
		deliver m.small maildir:$D/M bdb:$D/disk/L
		echo "tmp $(files M/tmp) new $(files M/new)"
		rm disk/fill
		deliver m.small maildir:$D/M bdb:$D/disk/L
		deliver m.small maildir:$D/M bdb:$D/disk/L
		echo "new $(files M/new) bad $(find disk -name "env.bad.*" | wc -l)"
		head -c 4000000 /dev/zero >disk/fill 2>fill.err
		sed s/1@/2@/ m.small >m.2
		deliver m.2 maildir:$D/M bdb:$D/disk/L
		deliver m.small maildir:$D/M bdb:$D/disk/L
		rm disk/fill
		deliver m.2 maildir:$D/M bdb:$D/disk/L
		deliver m.2 maildir:$D/M bdb:$D/disk/L
		deliver m.small maildir:$D/M bdb:$D/disk/L
		echo "bad $(find disk -name "env.bad.*" | wc -l)"
	' >full
	i=0
	while read -r wanted name; do
		i=$((i + 1))
		is "$(sed -n ${i}p full | tr -d ' ')" "$wanted" "full disk: $name"
	done <<-END
		75 a large message for a Maildir
		tmp0new0 nothing is left of it
		0 a small one
		tmp0new1 it arrives
		0 a small one for an mbox
		75 a large one for an mbox
		same what was appended is taken back
		0 a ledger without room
		tmp0new1 the message is delivered
		0 with room again
		0 a copy
		new2bad0 one copy, and nothing set aside
	END
	echo "# $(sed -n '13,$p' full | tr '\n' ' ')"
	matches "$(head -n 1 full.log)" '^4\.3\.0 .*No space left' 'full disk: the first line says why'
	is "$(tail -n 1 full)" 'bad 0' 'full disk: a ledger that can not grow is not set aside'
	is "$(sed -n '13,17p' full | tr -d '\n')" 00000 'full disk: all are delivered'
else
	skip 'full disk' "no user namespaces: $(head -n 1 full.log)"
fi

# Memory.
fresh
huge() { { printf 'Message-ID: <huge@x>\n\n' && yes 'a line of a message of 1 GiB, which comes through a pipe'; } | head -c 1073741824; }
run="maxrss $D/rss"
memory=12288
if grep -q __asan_init "$BUILD/dedup-lda"; then
	memory=65536	# a sanitizer has its own needs, and keeps for a while what is freed
fi
huge | {
	lda
	echo "$rc" >code
}
is "$(cat code)" 0 '1 GiB into a Maildir: exit 0'
is "$(stat -c %s "$(only)")" 1073741824 'all of it'
ok "with at most $memory KiB of memory" test "$(cat rss)" -le "$memory"
echo "# KiB: $(cat rss)"
rm -r M
mailbox=mbox:$D/box
huge | {
	lda
	echo "$rc" >code
}
is "$(cat code)" 0 '1 GiB into an mbox: exit 0'
ok 'all of it' test "$(stat -c %s box)" -ge 1073741824
ok "with at most $memory KiB of memory" test "$(cat rss)" -le "$memory"
echo "# KiB: $(cat rss)"
rm box
mailbox=maildir:$D/M
{ printf 'X-Long: ' && head -c 10000000 /dev/zero | tr '\0' x && printf '\nMessage-ID: <long@x>\n\nhi\n'; } >m
exits 0 'a header line of 10 MB' <m
same "$(only)" m 'all of it'
ok "with at most $memory KiB of memory" test "$(cat rss)" -le "$memory"
{ printf 'Message-ID: <' && head -c 10000000 /dev/zero | tr '\0' x && printf '@x>\n\nhi\n'; } >m
exits 0 'a Message-ID of 10 MB' <m
ok "with at most $memory KiB of memory" test "$(cat rss)" -le "$memory"
does duplicate 'a copy' <m
{ yes 'X: a header line' | head -n 600000 && printf 'Message-ID: <many@x>\n\nhi\n'; } >m
exits 0 '600000 header lines' <m
ok "with at most $memory KiB of memory" test "$(cat rss)" -le "$memory"
does duplicate 'a copy' <m
is "$(copies) $(staged)" '3 0' 'one copy of each'
run=

# What is no message, or no mailbox.
maildir
defers 'read message: Is a directory' 'a read error' <"$D"
empty 'a read error'
message 1 >m
exec 3<&0
exec 0<&-
lda
is "$rc" 75 'standard input is closed: exit 75' || diag "$(cat err)" "$(only)"
exec 0<&3 3<&-

no_mailbox() {	# no_mailbox NAME: as a Maildir and as an mbox; $place is in its way, $other must stay as it is
	find "$other" -exec stat -c '%n %s %Y' {} + >before
	run='timeout 60' mailbox=$2:$D/$place
	defers "$place" "$1" <m
	run='' mailbox=maildir:$D/M
	find "$other" -exec stat -c '%n %s %Y' {} + >after
	same after before "$1: nothing is written elsewhere"
	ok "$1: it is still there" test -e "$place" -o -h "$place"
}
mkdir -p other/tmp other/new other/cur
printf 'From o@x Thu Nov 19 12:00:00 2026\n\nold\n\n' >other/box
other=other
place='link'
ln -s other link
no_mailbox 'a Maildir that is a symbolic link' maildir
ln -sfn other/box link
no_mailbox 'an mbox that is a symbolic link' mbox
ln -sfn other/nothing link
no_mailbox 'an mbox that is a symbolic link to nothing' mbox
no_mailbox 'a Maildir that is a symbolic link to nothing' maildir
place=fifo
mkfifo fifo
no_mailbox 'a Maildir that is a FIFO' maildir
no_mailbox 'an mbox that is a FIFO' mbox
place=folder
mkdir folder
no_mailbox 'an mbox that is a folder' mbox
place=name
ln other/box name
no_mailbox 'an mbox with two names' mbox
no_mailbox 'a Maildir that is a file' maildir
place=device
if [ "$(stat -c %F /dev/null)" = 'character special file' ]; then
	ln -s /dev/null device
	no_mailbox 'an mbox that leads to a device' mbox
fi
for part in tmp new; do
	place=M$part
	mkdir -p $place/tmp $place/new $place/cur
	rmdir $place/$part
	ln -s ../other/$part $place/$part
	no_mailbox "$part/ that is a symbolic link" maildir
	rm $place/$part
	: >$place/$part
	no_mailbox "$part/ that is a file" maildir
done
plan
