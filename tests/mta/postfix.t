#!/bin/sh
# Postfix, with examples/postfix: what a receiver makes of a message whose 250 gets lost, once or three times, in each way.
receiver=postfix
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/postfix.sh
. "$here/postfix.sh"

configure() { at receiver postconf -e "$@" && at receiver postfix reload 2>reload.err; }

start_sender
machine receiver "$receiver_image"
cat "$here/../../examples/postfix/main.cf" >>"$D/receiver/etc/postfix/main.cf"
postfix_common receiver
at receiver postconf -e myhostname=meadow.example mydestination=meadow.example local_destination_concurrency_limit=20 \
	'transport_maps=inline:{{plain@meadow.example=plain:}}'
at receiver postconf -M 'plain/unix=plain unix - n n - - local -o mailbox_command= -o home_mailbox=Maildir/'
users
at receiver newaliases
postfix_start
receiver_cases
configure defer_transports=local
crowd
ok 'all wait' wait_for waiting crowd
configure defer_transports=
flush
crowd_expect
trouble_cases
is "$(grep -c 'status=bounced' "$log")" 0 'nothing bounced'

# What the agent may reject where the administrator wants it: `|| exit 75` does not hide that.
printf '#!/bin/sh\necho 5.2.2 over quota\nexit 77\n' >"$agent"
mail_text full | submit full@harbour.example joe@meadow.example
ok 'over quota: the message is returned' wait_for grep -q 'dsn=5.2.2, status=bounced' "$log"
plan
