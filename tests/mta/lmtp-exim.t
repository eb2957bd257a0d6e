#!/bin/sh
# Exim in front of dedup-lmtpd, with examples/lmtp: users of this system.
receiver=exim4-daemon-light
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/lmtp.sh
. "$here/lmtp.sh"

log=$D/receiver/var/log/exim4/mainlog
empty() { [ "$(at receiver exim4 -bpc)" -eq 0 ]; }
flush() { at receiver exim4 -qff; }
copies_of() { has "${1%@*}" "$2"; }

machine receiver "$receiver_image"
conf=$D/receiver/etc/exim4
for section in router:880 transport:30; do
	cp "$here/../../examples/lmtp/exim.${section%:*}" "$conf/conf.d/${section%:*}/${section#*:}_local_dedup_lmtp"
done
sed -i -e "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='internet'/" -e "s/^dc_use_split_config=.*/dc_use_split_config='true'/" \
	-e "s/^dc_other_hostnames=.*/dc_other_hostnames='meadow.example'/" -e "s/^dc_minimaldns=.*/dc_minimaldns='true'/" \
	-e "s/^dc_local_interfaces=.*/dc_local_interfaces='127.0.0.1'/" "$conf/update-exim4.conf.conf"
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
for name in maildir mbox plain joe ann; do
	user $name
done
printf 'mailbox = mbox:~/mbox\nlog = file:~/log\n' | put mbox .dedup-lda.conf
printf 'ledger = none\nlog = file:~/log\n' | put plain .dedup-lda.conf
echo 'sales: joe' >"$D/receiver/etc/aliases"
echo meadow.example >"$D/receiver/etc/mailname"
at receiver update-exim4.conf
install -d -o "$(at receiver id -u Debian-exim)" "$D/receiver/run/exim4"
lmtpd -w 50
gap_line
at receiver sh -c 'exim4 -bd; true'	# a child of process 1 would stay in the foreground
ok 'the receiver listens' wait_until 10 listens 25

mail_text both | submit -n 2 renee@harbour.example joe@meadow.example ann@meadow.example
mail_text alias | submit -n 2 '' sales@meadow.example
mkdir -p "$D/receiver/home/ann/Maildir/.work/new" "$D/receiver/home/ann/Maildir/.work/cur" "$D/receiver/home/ann/Maildir/.work/tmp"
own ann
mail_text extension | submit renee@harbour.example ann+work@meadow.example
ok 'delivered' wait_until 20 empty || diag "$(tail -n 5 "$log")"
is "$(has joe both) $(has ann both)" '1 1' 'sent twice to two users: each has it once'
is "$(has joe alias)" 1 'sent twice to an alias: once'
is "$(find "$D/receiver/home/ann/Maildir/.work/new" -type f | wc -l)" 1 'an extension: its folder'

lmtp_gaps maildir@meadow.example once
lmtp_gaps mbox@meadow.example once
lmtp_gaps plain@meadow.example each
ok 'nothing bounced' not grep -E '^[^ ]+ [^ ]+ [^ ]+ \*\* |<= <>.*R=' "$log"
plan
