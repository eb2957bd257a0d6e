#!/bin/sh
# The command line, what is printed, and the log: exit codes that make every MTA keep the message, and one line that none can forge.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
files() { find . ! -path ./out ! -path ./err ! -path './files.*' ! -path ./cmp.out | sort; }
files >files.before

# The command line.
exits 0 '-V' -V </dev/null
matches "$(head -n 1 out)" '^dedup-lda [0-9]+\.[0-9]+\.[0-9]+$' 'the version'
for library in 'Berkeley DB' OpenSSL libconfuse; do
	ok "the version of $library" grep -q "^$library .*[0-9]" out
done
defers 'usage: dedup-lda ' 'unknown option' -x <m
defers 'usage: dedup-lda ' 'a long option' --frobnicate <m
for o in a c d f m o; do
	defers 'usage: dedup-lda ' "-$o without its argument" -$o <m
done
defers 'usage: dedup-lda ' 'an argument' argument <m
defers 'usage: dedup-lda ' 'an argument after --' -- -n <m
defers 'only root may use -d' 'another user' -d root <m
is "$(lines err)" 1 'one line'
is "$(wc -c <out)" 0 'nothing on standard output'
yes | head -c 1000000 >large
# An MTA that is still writing when the agent ends would take SIGPIPE for its answer.
{ yes | head -c 1000000 && echo whole >fed; } | "$BUILD/dedup-lda" -x 2>err
is "$(cat fed)" whole 'all input is read, even then'
: >fed
for o in mailbox ledger window=0 window=-1 window=5y nonsense=1 = '' mailbox= ledger=redis log=frob duplicates=some sync=no \
    'mailbox=maildir:%x' 'mailbox=maildir:~root/M' lock-timeout=soon mbox-locks=flock add-headers=x \
    fingerprint-headers=received on-duplicate=folder:../x trusted-hosts=a..b recipient-delimiter=++; do
	defers "-o .*$(printf '%s' "${o%%=*}" | head -c 5)" "-o '$o'" -o "$o" <m
done
defers "mailbox: '\.\.' is not allowed" "-o 'mailbox=maildir:/a/../b'" -o 'mailbox=maildir:/a/../b' <m
for o in redis:// redis://h:0 redis://h/x redis+unix://s redis+sentinel://h redis+cluster://h/0 rediss://h; do
	defers '-o ledger: ' "ledger = $o" -o ledger=$o <m
done
for o in 'pipe:cat "' 'pipe:sh -c "echo %n"' lmtp:unix:s lmtp:h lmtp:h:99999 'lmtp:[h]:24'; do
	defers 'mailbox: ' "mailbox = $o" -o "mailbox=$o" <m
done
defers 'a command has no folders' 'on-duplicate = folder with a command' -o mailbox=pipe:cat -o on-duplicate=folder:D <m
defers 'needs a Maildir' 'on-duplicate = folder with an mbox' -o "mailbox=mbox:$D/box" -o on-duplicate=folder:D <m
rm -f large fed
files >files.after
same files.after files.before 'none of that made a file'

# A dry run.
exits 0 'a dry run' -n <m
ok 'the Message-ID' grep -q '^  message-id: <1@example.org>$' out
ok 'the body digest' grep -Eq '^  body-digest: [0-9a-f]{64}$' out
ok 'the fingerprint' grep -Eq '^fingerprint [0-9a-f]{64}$' out
ok 'what would happen' grep -q "^would deliver to maildir:$D/M: no copy of it is on record" out
exits 0 'a dry run for an mbox' -n -o "mailbox=mbox:$D/box" <m
exits 0 'a dry run with a folder' -n -m work <m
ok 'the folder' grep -q 'folder work' out
exits 0 'a dry run without a ledger' -n -o ledger=none <m
printf 'Subject: s\n\nhi\n' >anonymous
exits 0 'a dry run of a message that nothing identifies' -n <anonymous
ok 'it says so' grep -q 'neither Message-ID nor Date' out
printf 'Message-ID: <\033[31m\377@x>\n\n' >hostile
exits 0 'a dry run of a hostile message' -n <hostile
is "$(LC_ALL=C tr -d '\n -~' <out | wc -c)" 0 'it prints nothing but printable ASCII'
rm -f anonymous hostile
files >files.after
grep -v '^\./log$' files.after >files.less
mv files.less files.after
same files.after files.before 'no dry run made a file but the log'
lda <m
exits 0 'a dry run of a duplicate' -n <m
ok 'it says so' grep -q '^would discard it: a duplicate of the message delivered at 20' out
exits 0 'the same with a tag' -n -o on-duplicate=tag <m
ok 'it says so' grep -q '^would deliver it with a tag: ' out
is "$(copies)" 1 'one copy'
chmod 000 L
defers "open ledger $D/L: Permission denied" 'a dry run with a ledger that can not be opened' -n <m
chmod 700 L
{ "$BUILD/dedup-lda" -n -o "mailbox=$mailbox" -o "ledger=$ledger" <m >/dev/full; } 2>err
is "$?" 75 'a dry run on a full disk: exit 75'
matches "$(cat err)" '^4\.3\.0 write to standard output' 'it says so'
exits 75 'a dry run of a folder in place of a message' -n <"$D"
matches "$(head -n 1 err)" '^4\.3\.0 .*Is a directory' 'it says so'

# Silence and talk.
for o in 2 3 2; do
	message $o >m
	exits 0 "message $o" <m
	is "$(cat out err | wc -c)" 0 'not a byte is printed'
done
message 4 >m
exits 0 '-v' -v <m
is "$(wc -c <out)" 0 'nothing on standard output'
says '^action=delivered ' 'the log line on standard error'
exits 0 'log = stderr' -o log=stderr <m
says '^action=duplicate ' 'the log line on standard error'
chmod 500 M/tmp M/new
message 5 >m
defers 'create a file in tmp' 'a failed delivery, -v' -v <m
says '^action=deferred .* reason="create a file in tmp/ of ' 'the log line comes after it'
chmod 700 M/tmp M/new

# The log.
rm -f log
for i in 6 6; do
	message $i >m
	lda -m work <m
done
matches "$(head -n 1 log)" "^time=20[0-9-]{8}T[0-9:]{8}Z pid=[0-9]+ notice=\"the folder does not exist" 'a notice in a file has time and pid'
matches "$(sed -n 2p log)" "^time=[^ ]+ pid=[0-9]+ action=delivered msgid=<6@example.org> fp=[0-9a-f]{16} user=[^ ]+ \
mailbox=maildir:$D/M folder=work size=$(wc -c <m) ms=[0-9]+\$" 'and a delivery all of its pairs'
is "$(stat -c %a log)" 600 'mode 0600'
ln -s "$D/elsewhere" log.link
message 7 >m
defers 'open log' 'a log that is a symbolic link' -o "log=file:$D/log.link" <m
ok 'nothing is where it points' not test -e elsewhere
defers 'open log' 'a log in a missing folder' -o "log=file:$D/missing/log" <m
is "$(grep -lr '<7@' M | wc -l)" 0 'and nothing was delivered'
for i in 7 7; do
	lda -o log-format=json -o "log=file:$D/log.json" <m
done
is "$(lines log.json)" 2 'two lines of JSON'
ok 'each is JSON' python3 -m json.tool --json-lines log.json json.out
is "$(python3 -c 'import json
for line in open("log.json"):
    d = json.loads(line)
    print(d["action"], d["msgid"], d["size"], isinstance(d["pid"], int), "first" in d)' | tr '\n' ' ')" \
    "delivered <7@example.org> $(wc -c <m) True False duplicate <7@example.org> $(wc -c <m) True True " 'with these values'

# What a sender writes can neither end a line nor forge a pair.
forge() {	# forge NAME PATTERN: the message in `in`, and what the log says of it
	rm -f log log.json
	exits 0 "$1" -v <in
	says "msgid=$2 fp=" "$1: escaped"
	is "$(lines err)" 1 "$1: one line"
	is "$(lines log)" 1 "$1: one line in the file"
	is "$(LC_ALL=C tr -d '\n -~' <err | wc -c)" 0 "$1: printable ASCII"
	is "$(sed 's/"[^"]*"//g' err | grep -o 'action=' | wc -l)" 1 "$1: one action"
	exits 0 "$1, again" -o log-format=json -o "log=file:$D/log.json" <in
	ok "$1: JSON" python3 -m json.tool --json-lines log.json json.out
	is "$(python3 -c 'import json; print(json.loads(open("log.json").read())["action"])')" duplicate "$1: the action"
}
printf 'Message-ID: <a\n action=forged\n\tfp=0@x>\n\nhi\n' >in
forge 'a folded Message-ID' '"<a action=forged fp=0@x>"'
printf 'Message-ID: <" action="forged" x="@x>\n\nhi\n' >in
forge 'quotes' '"<\\x22 action=\\x22forged\\x22 x=\\x22@x>"'
printf 'Message-ID: <\\" action=forged \\x0a@x>\n\nhi\n' >in
forge 'backslashes' '"<\\x5c\\x22 action=forged \\x5cx0a@x>"'
printf 'Message-ID: <\r\033[2J\000\001\177\200\377\302\205\342\200\250@x>\n\nhi\n' >in
forge 'control bytes' '<\\x0d\\x1b\[2J\\x00\\x01\\x7f\\x80\\xff\\xc2\\x85\\xe2\\x80\\xa8@x>'
printf 'Message-ID: a=b\n\nhi\n' >in
forge 'an equals sign' '"a=b"'
printf 'Message-ID: %08000d\n\nhi\n' 0 >in
forge 'a long Message-ID' '0{200,300}\.\.\.'
printf 'Message-ID: <folder@x>\n\nhi\n' >in
exits 0 'a folder name' -v -m 'x" action="forged
action=forged' <in
is "$(lines err)" 2 'it and the notice are two lines'
is "$(sed 's/"[^"]*"//g' err | grep -o 'action=' | wc -l)" 1 'one action'
plan
