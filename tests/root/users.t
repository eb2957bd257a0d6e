#!/bin/sh
# dedupdb -A: a command for every user who has a ledger, with that user's rights, and trouble of one is not the others'.
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"
all() {	# all CODE NAME ARGUMENT...
	what=$2 code=$1
	shift 2
	"$BUILD/dedupdb" -A "$@" >out 2>err
	is $? "$code" "$what: exit $code" || diag "$(head -n 3 err)"
}
said() { is "$(cat out)" "$2" "$1: what it says"; }
message 1 >m
chmod 644 m

homes
all 0 'nobody has a ledger' --json stat
said 'nobody has a ledger' ''
is "$(cat err)" 'dedupdb: no user has a ledger of their own' 'nobody has a ledger: in one line'
all 0 'nobody has a ledger: recover' recover
is "$(cat out err)" '' 'nobody has a ledger: recover has nothing to say'
is "$(find /home -name '.dedup-lda*')" '' 'and nobody gets one'
echo 'hermit:x:60100:60100::/dev/null:/bin/false' >>/etc/passwd
all 0 'a home that is no folder: recover' recover
is "$(cat err)" '' 'a home that is no folder: has no ledger'
all 0 'nobody has a ledger: gaps' gaps
said 'nobody has a ledger: gaps' 'There is no ledger.'

# In the order of their names, each with what is the user's own.
for_user joe <m
for_user joe <m
for_user ann <m
all 0 stat --json stat
is "$(cat err)" '' 'stat: two have one'
is "$(python3 -c 'import json
for line in open("out"):
    o = json.loads(line)
    print(o["user"], o["ledger"], o["records"], o["duplicates"], o["health"])')" 'ann bdb:/home/ann/.dedup-lda 1 0 healthy
joe bdb:/home/joe/.dedup-lda 1 1 healthy' 'stat: a line for each user who has a ledger'
all 0 'stat as text' stat
is "$(grep -Ec '^user +(ann|joe)$' out)" 2 'stat as text: whose it is'
all 0 'stat --prometheus' stat --prometheus
is "$(grep -A 3 '^# HELP dedup_lda_duplicates_total' out)" '# HELP dedup_lda_duplicates_total Duplicates that were discarded.
# TYPE dedup_lda_duplicates_total counter
dedup_lda_duplicates_total{user="ann"} 0
dedup_lda_duplicates_total{user="joe"} 1' 'stat --prometheus: one group for each metric'
is "$(grep -c '^# TYPE' out)" "$(grep '^# TYPE' out | sort -u | grep -c .)" 'stat --prometheus: no metric twice'

# gaps is one report of all users, without their names; the page is root's.
all 0 gaps --json gaps
is "$(python3 -c 'import json
o = json.load(open("out"))
print(o["ledgers"], o["deliveries"], o["copies"])')" '2 2 1' 'gaps: one report of all'
all 0 'gaps as text' gaps
ok 'gaps as text: one report of all' grep -Eq '^Since .*: 1 copy, 2 deliveries in 2 ledgers\.$' out
mask=$(umask)
umask 022
all 0 'gaps as a page' gaps --html page.html
is "$(stat -c '%U %a' page.html) $(grep -Ewc 'joe|ann|example' page.html)" 'root 644 0' 'gaps as a page: of root, and about nobody'
all 64 'gaps with a wrong option' gaps --bogus
is "$(wc -l <err)" 1 'gaps with a wrong option: told once'
mkdir -m 700 only-root
"$BUILD/dedupdb" -d joe gaps --html only-root/page.html >out 2>err
is $? 73 'gaps with -d, and a page where the user may not write'
ok 'gaps with -d: what to do' grep -qF "as the owner of the ledger; '--html - >FILE' writes it as root" err
"$BUILD/dedupdb" -d joe gaps --html - >only-root/page.html 2>err
is "$? $(tail -n 1 only-root/page.html)" '0 </html>' 'gaps with -d, and a page to standard output'
umask "$mask"

all 0 'nothing to do' recover
said 'nothing to do' ''
all 0 'nothing to prune' prune
said 'nothing to prune' ''
is "$(find /home/joe /home/ann -uid 0)" '' 'no file became that of root'

# What a crash left is finished with the rights of its user.
if can_trace; then
	message 2 | { run="$(kill_at "$RENAME" 1) -f" && for_user joe; }
	is "$(find /home/joe/Maildir/new -type f | wc -l) $(find /home/joe/Maildir/tmp -type f | wc -l)" '1 1' 'a delivery was killed'
	all 0 recover recover
	said recover 'joe: 1 settled, 0 left, 0 dropped, 0 failed; 0 left-over files removed'
	is "$(find /home/joe/Maildir/new -type f -user joe | wc -l) $(find /home/joe/Maildir/tmp -type f | wc -l)" '2 0' 'recover: published'
else
	message 2 | for_user joe
	skip 'a delivery that was killed is finished' 'strace can not trace here'
fi

# Trouble of one user.
echo 'windows = 7d' >/home/ann/.dedup-lda.conf
chown ann: /home/ann/.dedup-lda.conf
rm -rf /home/mia/.dedup-lda
ln -s /home/joe/.dedup-lda /home/mia/.dedup-lda
all 78 'a wrong configuration' --json stat
ok 'a wrong configuration: whose' grep -q "^dedupdb: ann: /home/ann/\.dedup-lda\.conf:1: no such option 'windows'" err
ok 'a link to the ledger of another user is refused' grep -q '^dedupdb: mia: .*/home/mia/\.dedup-lda' err
is "$(grep -c '"user":"joe"' out)" 1 'the others are looked at all the same'
rm /home/ann/.dedup-lda.conf /home/mia/.dedup-lda

# What is wrong for all is told once.
echo 'window = never' >/etc/dedup-lda.conf
all 78 "a mistake in the system's file" recover
is "$(wc -l <err)" 1 "a mistake in the system's file: told once"
echo 'mailbox = maildir:/srv/mail/%d/%n' >/etc/dedup-lda.conf
all 0 'a file for virtual users' recover
is "$(cat err)" 'dedupdb: /etc/dedup-lda.conf is for virtual users (%d): -A does not find these' 'a file for virtual users: told once'
echo 'mailbox = maildir:~/Maildir' >/home/joe/.dedup-lda.conf
chown joe: /home/joe/.dedup-lda.conf
all 0 'a file for virtual users, but for joe' --json stat
is "$(grep -c '"user":"' out) $(grep -c '"user":"joe"' out)" '1 1' 'a file for virtual users, but for joe: who has a ledger'
rm /etc/dedup-lda.conf /home/joe/.dedup-lda.conf
echo 'mailbox = maildir:/srv/100%%d' >/etc/dedup-lda.conf
all 0 'a name with a percent sign' recover
is "$(cat err)" '' 'a name with a percent sign: is no variable'
rm /etc/dedup-lda.conf

sleep 2	# so that all of them are older
all 0 prune prune --older-than 0s
is "$(cat out)" 'ann: 1 record deleted
joe: 2 records deleted' 'prune: whose, and how many'

# Ledgers in the folder for users whom no directory lists, of whoever owns them; their own users are told of once. One owner is unknown.
if mount -t tmpfs -o mode=755 tmpfs /var/lib; then
	mkdir /var/lib/dedup-lda
	for name in joe ann root; do
		install -d -o $name -m 700 /var/lib/dedup-lda/$name
	done
	install -d -o 60999 -m 700 /var/lib/dedup-lda/nobody-of-that-name
	: >/var/lib/dedup-lda/file
	message 3 | for_user joe -o ledger=bdb:/var/lib/dedup-lda/joe
	is "$rc" 0 'a ledger in the folder for all'
	all 0 'a ledger in the folder for all' -o 'ledger=bdb:/var/lib/dedup-lda/%u' --json stat
	is "$(python3 -c 'import json
for line in open("out"):
    o = json.loads(line)
    print(o["user"], o["records"])')" 'joe 1' 'a ledger in the folder for all: each once, and only who has one'
	rm -r /var/lib/dedup-lda
	: >/var/lib/dedup-lda
	all 75 'a file in place of that folder' stat
	ok 'a file in place of that folder: why' grep -q 'open /var/lib/dedup-lda: Not a directory' err
	umount /var/lib
else
	skip 'ledgers in the folder for all' 'can not mount here'
fi
all 78 'a wrong -o' -o window=never stat
is "$(wc -l <err)" 1 'a wrong -o: told once'

# Root and the ledger of a user: a command works on it as that user.
alone() {	# alone CODE NAME ARGUMENT...: without -A
	what=$2 code=$1
	shift 2
	"$BUILD/dedupdb" "$@" >out 2>err
	is $? "$code" "$what: exit $code" || diag "$(head -n 3 err)"
}
for_user joe <m
alone 0 "root and joe's ledger" -l bdb:/home/joe/.dedup-lda --json stat
is "$(python3 -c 'import json; print(json.load(open("out"))["records"])')" 1 "root and joe's ledger: what is in it"
is "$(find /home/joe -uid 0)" '' "root and joe's ledger: no file became that of root"
for_user joe <m
is "$rc" 0 "root and joe's ledger: joe can still use it"
alone 0 'with -d' -d joe --json stat
is "$(python3 -c 'import json; print(json.load(open("out"))["duplicates"])')" 2 'with -d: the same'
cp -a /home/joe/.dedup-lda "$D/orphan"
chown -R 60999 "$D/orphan"
alone 77 'a ledger of a user that is not there' -l "bdb:$D/orphan" stat
ok 'a ledger of a user that is not there: why' grep -q 'belongs to the unknown user 60999: run dedupdb as that user' err
alone 0 "root's own ledger" -l "bdb:$D/own" stat
alone 64 'root without -d' stat
ok 'root without -d: why' grep -q 'root has no ledger: say whose with -d user, or which with -l ledger' err
alone 64 'root, and mail' -l bdb:/home/joe/.dedup-lda recover
ok 'root, and mail: why' grep -q "touches a user's mail and never does so as root" err
alone 64 '-d root' -d root stat
ok '-d root: why' grep -q 'will not work as root' err
# verify, also where root's TMPDIR is not for users; and records that only root can read.
mkdir -m 700 "$D/tmp"
TMPDIR=$D/tmp "$BUILD/dedupdb" -A --json verify >out 2>err
is $? 0 'verify of all: exit 0'
is "$(python3 -c 'import json
for line in open("out"):
    o = json.loads(line)
    print(o["user"], o["database"], o["verdict"])')" 'ann sound well
joe sound well' 'verify of all: whose, and how they are'
is "$(find /var/tmp "$D/tmp" -maxdepth 1 -name 'dedupdb-verify.*' -user joe)" '' 'verify of all: no copy is left'
alone 0 'verify with -d' -d joe verify
alone 0 'export with -d' -d joe export
(umask 077 && cp out "$D/joe.jsonl")
rm -rf /home/joe/.dedup-lda
alone 64 'restore as root' -l bdb:/home/joe/.dedup-lda restore "$D/joe.jsonl"
ok 'restore as root: why' grep -q 'root would make a ledger that nobody else can use: say whose with -d user' err
ok 'restore as root: nothing is made' [ ! -e /home/joe/.dedup-lda ]
alone 0 'restore with -d' -d joe restore "$D/joe.jsonl"
is "$(find /home/joe -uid 0)" '' 'restore with -d: no file became that of root'
for_user joe <m
alone 0 'restore with -d: its message again' -d joe --json stat
is "$(python3 -c 'import json; print(json.load(open("out"))["duplicates"])')" 1 'restore with -d: it is a duplicate'

alone 67 '-d nobody' -d nobody-of-that-name stat
ok '-d nobody: why' grep -q 'user nobody-of-that-name: no such user' err

# Whoever starts it may have the ends of its children ignored.
env --ignore-signal=CHLD "$BUILD/dedupdb" -A --json stat >out 2>err
is "$? $(cat err)" '0 ' 'SIGCHLD is ignored: exit 0'

# A child that dies is trouble of its user.
if can_trace; then
	strace -f -o trace.out -e trace=openat -P /home/ann/.dedup-lda -e inject=openat:signal=KILL:when=1 \
	    "$BUILD/dedupdb" -A --json stat >out 2>err
	is $? 75 'a child that is killed: exit 75'
	ok 'a child that is killed: whose' grep -q '^dedupdb: ann: ended by signal 9$' err
	is "$(grep -c '"user":"joe"' out)" 1 'a child that is killed: the others are looked at all the same'
else
	skip 'a child that is killed' 'strace can not trace here'
fi

# The history of one user does not reach as far back as that of another one.
for_user ann <m
sleep 1
for_user joe -o history=1 <m
all 0 'histories of several lengths' gaps
ok 'histories of several lengths: before which time not all is known' \
	grep -q '^Before 20.* not all is known: a ledger keeps its newest events only' out
all 0 'histories of several lengths, a page' gaps --html -
ok 'histories of several lengths, a page: the same' grep -q '>Before <time .* not all copies are known' out

# One that is killed while it tells what it found: what the next one tells is read from its beginning.
if can_trace; then
	written() {	# written USER COPIES RECEIVER: so many copies in the user's history
		rm -f "/home/$1/.dedup-lda/events"
		for i in $(seq "$2"); do
			echo "duplicate -60 -600 300 130 sender.example $3 Q$i"
		done | as "$1" "$BUILD/tests/event_write" "/home/$1/.dedup-lda"
	}
	written ann 100 mx.example.org
	written joe 10 "$(printf '%064d' 0 | tr 0 a)"
	strace -f -o trace.out -e trace=write -P /memfd:dedupdb -e inject=write:signal=KILL:when=2 \
	    "$BUILD/dedupdb" -A gaps >out 2>err
	is $? 75 'a child that is killed while it tells: exit 75' || diag "$(cat trace.out out err)"
	ok 'a child that is killed while it tells: whose' grep -q '^dedupdb: ann: ended by signal 9$' err
	ok 'a child that is killed while it tells: the report is of the others' grep -q '^Since .*: 10 copies, 0 deliveries\.$' out
else
	skip 'a child that is killed while it tells' 'strace can not trace here'
fi

# The command line.
all 64 'with -d' -d joe stat
all 64 'a command for one ledger' list
as joe "$BUILD/dedupdb" -A stat >out 2>err
is $? 77 'not for a user'
echo 'of yesterday' >/home/joe/gaps.html
chown joe /home/joe/gaps.html
as joe "$BUILD/dedupdb" -A gaps --html=/home/joe/gaps.html >out 2>err
is "$? $(cat out) $(cat /home/joe/gaps.html)" '77  of yesterday' 'who may ask nobody replaces no report'

# examples/gap, without an MTA, delivers as the caller.
as root python3 "$here/../../examples/gap" >out 2>err
is "$? $(lines out)" '1 0' 'examples/gap as root without an MTA: exit 1'
says 'never as root; -s takes an MTA' 'examples/gap as root without an MTA: it says so'
plan
