#!/bin/sh
# Postfix as the receiver: its log and its queue. To be sourced after mta.sh.

# shellcheck disable=SC2034 # the script that sources this reads it
log=$D/receiver/var/log/postfix.log
empty() { at receiver postqueue -p | grep -q 'queue is empty'; }
waiting() { at receiver postqueue -p | tr '\n' ' ' | grep -q "$1@harbour.example *(.*)"; }
flush() { at receiver postqueue -f; }
postfix_start() {
	at receiver postfix start >start.out 2>&1 || diag "$(cat start.out)"
	ok 'the receiver listens' wait_for listens 25
}

# Virtual users: joe, ann and the alias sales of hers, below /var/vmail.
virtual_copies() {	# virtual_copies ADDRESS NAME: of that message
	(cd "$D/receiver/var/vmail/${1#*@}" && find "${1%@*}" -path '*/new/*' -exec grep -l "^Message-ID: <$2@" {} + 2>/dev/null | wc -l)
}
virtual_cases() {	# with copies_of
	mail_text both | submit -n 2 renee@harbour.example joe@meadow.example ann@meadow.example
	mail_text alias | submit -n 2 '' sales@meadow.example
	mail_text extension | submit -n 2 renee@harbour.example Joe+x@meadow.example joe+y@meadow.example
	ok 'delivered' wait_for empty
	is "$(copies_of joe@meadow.example both) $(copies_of ann@meadow.example both)" '1 1' 'sent twice to two users: each has it once'
	is "$(copies_of ann@meadow.example alias)" 1 'sent twice to an alias: once'
	is "$(copies_of joe@meadow.example extension)" 1 'sent twice to two extensions: once'
	is "$(find "$D/receiver/var/vmail" ! -user "$(at receiver id -u vmail)" | wc -l)" 0 'all of it belongs to vmail'
}
