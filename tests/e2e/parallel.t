#!/bin/sh
# Deliveries at the same time: of one message one copy arrives, of different ones all of them, and every agent exits 0.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
all='1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20'

together() {	# together MESSAGE...: deliver them at the same time; prints how many exited 0 without a word
	i=0
	rm -f code.* said.*
	for file in "$@"; do
		i=$((i + 1))
		{
			"$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" <"$file" >said.$i 2>&1
			echo $? >code.$i
		} &
	done
	wait
	echo "$(cat code.* | grep -cx 0) $(cat said.* | wc -c)"
}
log_has() { count " action=$1 " log; }
small() { message "$1"; }
large() { message "$1" && yes "line of $1" | head -c 300000 && echo; }

for size in small large; do
	$size one >m
	for i in $all; do
		$size "many$i" >"m.$i"
	done

	fresh
	mailbox=maildir:$D/M
	# shellcheck disable=SC2046,SC2086 # 20 words
	is "$(together $(for i in $all; do echo m; done))" '20 0' "Maildir, $size: 20 deliveries of one message exit 0"
	is "$(copies) $(staged)" '1 0' 'one copy, nothing left'
	same "$(only)" m 'whole'
	is "$(log_has delivered) $(lines log)" '1 20' 'one of 20 lines in the log says delivered'
	rm log
	# shellcheck disable=SC2046
	is "$(together $(for i in $all; do echo "m.$i"; done))" '20 0' "Maildir, $size: 20 deliveries of different messages exit 0"
	is "$(copies) $(staged)" '21 0' 'all are there, nothing left'
	is "$(log_has delivered)" 20 'the log says so'
	cat M/new/* | grep -a '^Message-ID' | sort >got
	cat m m.* | grep '^Message-ID' | sort >want
	same got want 'each once'

	fresh
	mailbox=mbox:$D/box
	# shellcheck disable=SC2046
	is "$(together $(for i in $all; do echo m; done))" '20 0' "mbox, $size: 20 deliveries of one message exit 0"
	is "$(count '^Message-ID: <one@' box) $(count '^X-Dedup-Id: ' box)" '1 1' 'one copy'
	is "$(log_has delivered) $(lines log)" '1 20' 'one of 20 lines in the log says delivered'
	rm log
	# shellcheck disable=SC2046
	is "$(together $(for i in $all; do echo "m.$i"; done))" '20 0' "mbox, $size: 20 deliveries of different messages exit 0"
	is "$(log_has delivered)" 20 'the log says so'
	grep '^Message-ID' box | sort >got
	same got want 'each once'
	# Without their From_ lines and ids the entries are the messages, in some order.
	grep -v -e '^From MAILER-DAEMON ' -e '^X-Dedup-Id: ' box | sort >got
	for file in m m.*; do
		cat "$file" && echo
	done | sort >want
	same got want 'no bytes are mixed or lost'
	ok 'no dotlock is left' not test -e box.lock
done
is "$("$BUILD/dedupdb" -l "$ledger" list | wc -l)" 21 'one record for each message'
is "$("$BUILD/dedupdb" -l "$ledger" list --pending | wc -l)" 0 'none is pending'
plan
