#!/bin/sh
# Postfix as the receiver: its log and its queue. To be sourced after mta.sh.

# shellcheck disable=SC2034 # the script that sources this reads it
log=$D/receiver/var/log/postfix.log
empty() { at receiver postqueue -p | grep -q 'queue is empty'; }
waiting() { at receiver postqueue -p | tr '\n' ' ' | grep -q "$1@harbour.example *(.*)"; }
flush() { at receiver postqueue -f; }
postfix_start() {
	at receiver postfix start >start.out 2>&1 || diag "$(cat start.out)"
	ok 'the receiver listens' wait_until 10 listens 25
}
