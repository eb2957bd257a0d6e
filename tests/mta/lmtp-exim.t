#!/bin/sh
# Exim in front of dedup-lmtpd, with examples/lmtp: users of this system.
receiver=exim4-daemon-light
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/exim.sh
. "$here/exim.sh"
# shellcheck source=tests/mta/lmtp.sh
. "$here/lmtp.sh"


machine receiver "$receiver_image"
for section in router:880 transport:30; do
	cp "$here/../../examples/lmtp/exim.${section%:*}" "$conf/conf.d/${section%:*}/${section#*:}_local_dedup_lmtp"
done
# The same transport, over the faulty line.
sed 's,^dedup_lmtp:,gap_lmtp:,; s,/run/dedup-lmtpd.sock,/run/gap.sock,; s,timeout = 10m,timeout = 3s,; s,batch_max = .*,batch_max = 1,' \
	"$here/../../examples/lmtp/exim.transport" >"$conf/conf.d/transport/31_test"
cat >"$conf/conf.d/router/870_test" <<'END'
gaps:
  driver = accept
  domains = +local_domains
  check_local_user
  local_parts = maildir : mbox : plain
  transport = gap_lmtp
END
lmtp_users
lmtpd -w 50
gap_line
exim_start
ok 'the receiver listens' wait_for listens 25

mail_text both | submit -n 2 renee@harbour.example joe@meadow.example ann@meadow.example
mail_text alias | submit -n 2 '' sales@meadow.example
mkdir -p "$D/receiver/home/ann/Maildir/.work/new" "$D/receiver/home/ann/Maildir/.work/cur" "$D/receiver/home/ann/Maildir/.work/tmp"
own ann
mail_text extension | submit renee@harbour.example ann+work@meadow.example
ok 'delivered' wait_for empty || diag "$(tail -n 5 "$log")"
is "$(has joe both) $(has ann both)" '1 1' 'sent twice to two users: each has it once'
is "$(has joe alias)" 1 'sent twice to an alias: once'
is "$(find "$D/receiver/home/ann/Maildir/.work/new" -type f | wc -l)" 1 'an extension: its folder'

lmtp_gaps maildir@meadow.example once
lmtp_gaps mbox@meadow.example once
lmtp_gaps plain@meadow.example each
ok 'nothing bounced' not grep -E '^[^ ]+ [^ ]+ [^ ]+ \*\* |<= <>.*R=' "$log"
plan
