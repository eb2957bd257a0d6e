#!/bin/sh
# mailbox = pipe: what a command gets, what its exit leads to, and that it runs once for each message.
# shellcheck disable=SC2016 # the commands expand what is in single quotes
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
mkdir G

# A command that a test makes: its lines run with $G, a folder for what it leaves. `runs` counts how often it did.
command() {	# command LINE...
	rm -rf L log G/*
	printf '%s\n' '#!/bin/sh' "G=$D/G" 'echo run >>$G/runs' "$@" >cmd
	chmod 755 cmd
}
runs() { if [ -f G/runs ]; then lines G/runs; else echo 0; fi; }
pending() { "$BUILD/dedupdb" -l "$ledger" list --pending | wc -l | tr -d ' '; }
mailbox=pipe:$D/cmd

# What it gets.
keep='cat >$G/got'
command "$keep"
exits 0 'a message' -a joe@example.org -f me@example.com <m
{ printf 'Return-Path: <me@example.com>\nDelivered-To: joe@example.org\n' && cat m; } >want
same G/got want 'byte by byte, with the added fields'
does duplicate 'the same again' -a joe@example.org -f me@example.com <m
is "$(runs)" 1 'the command did not run again'
does delivered 'for another recipient' -a ann@example.org <m
does duplicate 'an extension is the same recipient' -a Ann+x@example.org <m
is "$(cat out err | wc -c)" 0 'not a byte of output'
printf 'From s@x Fri Nov 20 12:00:00 2026\nMessage-ID: <d@x>\n\na\rb\r\n\000\377\n.\nFrom x' >in
printf 'Message-ID: <d@x>\n\na\rb\r\n\000\377\n.\nFrom x' >want
command "$keep"
exits 0 'any bytes' -o add-headers= <in
same G/got want 'as they are, without the From_ line'
: >in
exits 0 'nothing at all' -o add-headers= <in
is "$(wc -c <G/got)" 0 'is nothing'
{ printf 'Message-ID: <big@x>\n\n' && yes 'a line of a large message' | head -c 5000000; } >in
exits 0 'a large one' -o add-headers= <in
same G/got in 'byte by byte'

# Words, not a shell's.
args='printf "%s|" "$@" >$G/args'
command "$args"
words() {	# words COMMAND WANTED NAME
	rm -rf L
	mailbox="pipe:$1"
	exits 0 "$3" -a 'joe+x@example.org' <m
	is "$(cat G/args)" "$2" "$3"
}
words "$D/cmd a 'b  c' \"d\\\"e\" f\\ g ''" 'a|b  c|d"e|f g||' 'quotes'
words "$D/cmd \$HOME \`id\` \$(id) ; * >x |" '$HOME|`id`|$(id)|;|*|>x|||' 'nothing is expanded'
words "$D/cmd %u %n@%d ~/x %%" "$(id -un)|joe@example.org|$HOME/x|%|" 'but for variables'
ok 'no file x' not test -e x
hostile() {	# hostile ADDRESS WANTED NAME: in one word
	rm -rf L
	exits 0 "$3" -a "$1" <m
	is "$(cat G/args)" "$2" "$3"
}
mailbox="pipe:$D/cmd to=%n"
hostile 'a b;$(id)`id`"c'\''@x' 'to=a b;$(id)`id`"c'\''|' 'an address full of shell'
hostile '-rf@x' 'to=-rf|' 'an address that looks like an option'
mailbox="pipe:$D/cmd %n"
defers "can't begin a word" 'where it would be one' -a -rf@x <m
defers 'slash' 'a slash' -a a/b@x <m
mailbox="pipe:sh -c 'cat >$D/G/shell; exit 0' sh"
exits 0 'a shell, asked for' -o add-headers= <m
same G/shell m 'runs'
defers 'can.t stand in the code' 'an address in its code' -o "mailbox=pipe:sh -c 'echo %n'" <m
printf '#!/bin/sh\necho "$*" >%s/G/push\n' "$D" >push
chmod +x push
exits 0 'a program whose name only ends like one' -o "mailbox=pipe:$D/push -config x %n" -a joe@example.org <m
is "$(cat G/push)" '-config x joe' 'its arguments'
mailbox=pipe:$D/cmd

# Its surroundings.
command 'env >$G/env' 'ls -l /proc/self/fd | sed 1d | wc -l >$G/fds' 'pwd >$G/pwd' 'ps -o pgid= -p $$ >$G/pgid; echo $$ >$G/pid' \
	'grep -E "^Sig(Ign|Blk)" /proc/self/status >$G/signals' 'umask >$G/umask'
FOREIGN=x exits 0 'its surroundings' -a joe+work@example.org -f me@example.com <m
fp=$("$BUILD/dedupdb" -l "$ledger" list --json | grep -oE '[0-9a-f]{64}' | head -n 1)
cat >want <<END
DOMAIN=example.org
EXTENSION=work
FINGERPRINT=$fp
HOME=$HOME
LOCAL=joe
LOGNAME=$(id -un)
PATH=/usr/local/bin:/usr/bin:/bin
RECIPIENT=joe+work@example.org
SENDER=me@example.com
SHELL=/bin/sh
USER=$(id -un)
END
grep -v -e '^PWD=' -e '^_=' -e '^SHLVL=' -e '^OLDPWD=' G/env | LC_ALL=C sort >got
same got want 'the environment'
is "$(cat G/pwd)" "$HOME" 'it runs in the home'
is "$(cat G/fds)" 4 'it has no descriptor but the three, and the one that ls opens'
is "$(tr -d ' ' <G/pgid)" "$(cat G/pid)" 'a process group of its own'
signals() { sed -n "s/^$1:[^0-9a-f]*/0x/p" G/signals; }
# 32 and 33 are libc's own, which keeps us from them; whoever runs this test may have them ignored.
is "$(($(signals SigBlk))) $(($(signals SigIgn) & ~0x180000000))" '0 0' 'no signal is ignored or blocked' || diag "$(cat G/signals)"
is "$(cat G/umask)" 0077 'files are its own'
command 'env >$G/env'
exits 0 'the null sender, a folder' -f '<>' -m Work -a "odd
SENDER=x@y" <m
is "$(grep -E '^(SENDER|EXTENSION|RECIPIENT)' G/env | sort | tr '\n' ' ')" 'EXTENSION=Work SENDER= ' 'an address with a newline is left out'

# Its exit. What ran leaves a pending record unless it ended with 0, and runs again.
ends() {	# ends CODE LINE REASON COMMAND [OPTION...]
	want=$1 line=$2 reason=$3 what=$4
	command "$4"
	shift 4
	exits "$want" "'$what'" "$@" <m
	matches "$(head -n 1 err)" "^$line .*$reason" "'$what': says why"
	is "$(lines err) $(pending)" '1 1' "'$what': one line, a pending record"
	command_is_well='echo "$RETRIED" >$G/retried; cat >/dev/null'
	printf '%s\n' '#!/bin/sh' "G=$D/G" "$command_is_well" >cmd
	does delivered "'$what', then well" <m
	matches "$(cat log)" 'retried=yes' "'$what': the log says that it ran again"
	is "$(cat G/retried)" yes "'$what': and so does the environment"
	is "$(pending)" 0 "'$what': nothing is pending"
}
ends 75 '4\.3\.0' 'cmd: exit 1$' 'exit 1'
ends 75 '4\.3\.0' 'exit 75: not now' 'echo not now; echo more; exit 75'
ends 75 '4\.3\.0' 'exit 127: .*not found' 'no-such-program-here'
ends 75 '4\.3\.0' 'killed by signal 9' 'kill -9 $$'
ends 75 '4\.3\.0' 'exit 67' 'exit 67'
ends 67 '5\.1\.1' 'exit 67: nobody' 'echo nobody >&2; exit 67' -o unknown-user=reject
ends 75 '4\.3\.0' 'exit 77' 'exit 77'
ends 77 '5\.2\.2' 'exit 77' 'exit 77' -o over-quota=reject
ends 75 '4\.3\.0' 'exit 65' 'exit 65'
ends 69 '5\.0\.0' 'exit 65' 'exit 65' -o on-refusal=reject
ends 69 '5\.0\.0' 'exit 69' 'exit 69' -o on-refusal=reject
ends 75 '4\.3\.0' 'exit 64' 'exit 64' -o on-refusal=reject -o unknown-user=reject -o over-quota=reject
ends 75 '4\.3\.0' 'exit 1: .\[31mred..x$' 'printf "\n\033[31mred\303\244x\nsecond\n"; exit 1'
ends 75 '4\.3\.0' 'longer than time-limit' 'sleep 60' -o time-limit=1s
ends 75 '4\.3\.0' 'longer than time-limit' 'trap "" TERM INT; yes' -o time-limit=1s
command 'exit 67'
exits 67 'rejected' -o unknown-user=reject <m
matches "$(cat log)" 'action=rejected .*exit 67' 'the log says so'
exits 75 'and again: an earlier copy may have been taken' -o unknown-user=reject <m
command 'echo a word; echo another >&2'
exits 0 'what a good command says' <m
is "$(cat out err | wc -c)" 0 'does not reach the MTA'
matches "$(grep notice log)" 'notice="the command says: a word"' 'the log has its first line'
command 'yes | head -c 3000000'
exits 0 'much output' <in
matches "$(grep notice log)" 'notice="the command says: y"' 'is read and forgotten'
command 'exec <&-; exit 0'
exits 0 'a command that reads nothing' <in
is "$(runs) $(pending)" '1 0' 'has its message'
command '(sleep 30 & echo $! >$G/left) </dev/null'
exits 0 'what it leaves running' <in
kill "$(cat G/left)" 2>kill.err
result $? 'is not waited for'
command '(sleep 30 & echo $! >$G/left)'
exits 0 'even with our pipes in its hands' <in
kill "$(cat G/left)" 2>kill.err
result $? 'it still ran'
command 'yes &'
exits 0 'and writing to them for ever' -o time-limit=20s <in
# The whole group is killed at the time limit.
command 'sleep 60 & echo $! >$G/left' 'wait'
exits 75 'the time limit' -o time-limit=3s <m
gone() { ! kill -0 "$1" 2>kill.err || grep -q '^State:.*Z' "/proc/$1/status" 2>kill.err; }
ends_soon() {	# ends_soon PID: it is gone, or is killed for being there too long
	for i in 1 2 3 4 5 6 7 8 9 10; do
		gone "$1" && return 0
		sleep "0.$i"
	done
	kill -KILL "$1"
	return 1
}
ok 'takes what it started, too' ends_soon "$(cat G/left)"
matches "$(cat log)" 'action=deferred .*longer than time-limit' 'the log says so'

# Not there.
command :
chmod 600 cmd
defers 'there is no such program' 'a command that can not run' <m
rm cmd
defers 'there is no such program' 'no command' <m
defers 'there is no such program in' 'nowhere in the path' -o mailbox=pipe:no-such-program <m
is "$(pending)" 0 'nothing is recorded'
printf 'not a program' >cmd
chmod 755 cmd
defers 'run the command: Exec format error' 'no program' <m
command 'cat >$G/got'
exits 0 'and then it is one' <m
is "$(runs)" 1 'it ran'

# Killed.
killed_at() {	# killed_at LINE...: when the command has got so far
	command "$@"
	"$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" <m >out 2>err &
	agent=$!
	until [ -s G/at ]; do sleep 0.05; done
	kill -"${signal:-KILL}" $agent
	wait $agent 2>kill.err
	code=$?
	ok 'the command goes with it' ends_soon "$(cat G/at)"
	printf '%s\n' '#!/bin/sh' "G=$D/G" 'echo run >>$G/runs; cat >>$G/got' >cmd
	does delivered 'the next copy' <m
	does duplicate 'one more' <m
	is "$(runs)" 2 'it ran again, once'
}
killed_at 'echo $$ >$G/at; exec sleep 60'
signal=TERM
killed_at 'sleep 60 & echo $! >$G/at; wait'
is "$code" 75 'a signal: exit 75'
signal=
if can_trace; then
	command "$keep"
	run=$(kill_at fdatasync 1)
	lda <m
	run=
	is "$(runs)" 0 'killed at the decision: it did not run'
	does delivered 'the next copy' <m
	is "$(runs)" 1 'once'
	command "$keep"
	exits 0 'a ledger' -a other@example.org <m
	run='strace -o trace.out -e inject=pwrite64:error=ENOSPC'
	exits 75 'a ledger without room' -o on-ledger-failure=defer <m
	is "$(runs)" 1 'the command does not run'
	exits 0 'and with on-ledger-failure = deliver' -o on-ledger-failure=deliver <m
	is "$(runs)" 2 'it does'
	run=
	command "setsid '$BUILD/tests/hold' ofd $D/L/lock sleep 2 >\$G/held 2>&1 &" 'sleep 0.5'
	exits 0 'no ledger after the hand-over: what would come again would be handed over again' -o on-ledger-failure=defer -o lock-timeout=0s <m
	ok 'the log says so' grep -q 'action=delivered .*ledger=.*lock' log
	is "$(runs) $(pending)" '1 1' 'it has run, and its record is pending'
	command "$keep"
	run='strace -o trace.out -e inject=?pidfd_open:error=ENOSYS'
	exits 0 'a kernel that does not tell the end of a process' -a third@example.org <m
	is "$(runs)" 1 'the command runs'
	run='strace -f -o trace.out -e inject=?close_range:error=ENOSYS'
	exits 0 'a kernel that does not close many descriptors at once: a duplicate' -a third@example.org -o time-limit=5s <m
	is "$(runs)" 1 'the command does not run again'
	run='strace -o trace.out -e inject=?clone,?clone3,?fork,?vfork:error=EAGAIN'
	defers 'fork: ' 'no more processes' <m
	run='strace -o trace.out -e inject=socketpair:error=EMFILE'
	defers 'pipe: ' 'no more descriptors' <m
	command "$keep"
	run='strace -o trace.out -e inject=memfd_create:error=ENOMEM'
	exits 0 'no file in memory' -o add-headers= <m
	run=
	same G/got m 'one on disk does it'
else
	skip 'killed at the decision, and a ledger without room' 'strace can not trace here'
fi

# At the same time.
command 'sleep 0.3'
together
is "$(runs) $(cat code.* | grep -cx 0)" '1 8' 'eight copies at the same time: it runs once, all are content'
is "$(count 'action=delivered' log) $(count 'action=duplicate' log)" '1 7' 'seven of them are duplicates'
command "until [ -e $D/go ]; do sleep 0.05; done"
together -o lock-timeout=0s
is "$(runs) $(cat code.* | sort | uniq -c | awk '{ print $2, $1 }' | tr '\n' ' ')" '1 0 1 75 7 ' 'without patience: it runs once, the others come again'

# Duplicates, and no ledger.
command 'cat >>$G/got'
exits 0 'a message' <m
does tagged 'a copy is tagged' -o on-duplicate=tag <m
ok 'with the field' grep -Eq '^X-Dedup-Lda: duplicate; first=.*; fingerprint=[0-9a-f]{64}$' G/got
is "$(runs)" 2 'it ran for both'
exits 0 'no ledger' -o ledger=none <m
exits 0 'no ledger, again' -o ledger=none <m
is "$(runs)" 4 'it runs each time'
printf 'Subject: s\n\nhi\n' >anonymous
exits 0 'what nothing identifies' <anonymous
exits 0 'again' <anonymous
is "$(runs)" 6 'is handed over'
plan
