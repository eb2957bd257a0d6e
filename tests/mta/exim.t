#!/bin/sh
# Exim, with examples/exim in Debian's split configuration: what a receiver makes of a message whose 250 gets lost.
# shellcheck disable=SC2016 # a shell of the receiver expands these
receiver=exim4-daemon-light
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/exim.sh
. "$here/exim.sh"

waiting() {
	for id in $(at receiver exim4 -bp | awk -v from="<$1@harbour.example>" '$4 == from { print $3 }'); do
		grep -Eq "^[^ ]+ [^ ]+ $id (==|Frozen)" "$log" && return 0
	done
	return 1
}

start_sender
machine receiver "$receiver_image"
for section in main:03 router:880 transport:30; do
	cp "$here/../../examples/exim/${section%:*}" "$conf/conf.d/${section%:*}/${section#*:}_local_dedup_lda"
done
cat >"$conf/conf.d/main/99_test" <<'END'
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
message_logs = true
host_lookup = 192.0.2.0/24
host_lookup_order = byaddr
END
# Exim believes a client's name only if the DNS says so, too.
printf '%s\n' 'harbour.example A 192.0.2.1' 'island.example A 192.0.2.3' >zone
"$here/../root/names" 127.0.0.1 "$D/zone" >names.out 2>names.err &
echo 'MAIN_FREEZE_TELL =' >"$conf/conf.d/main/01_test"
cat >"$conf/conf.d/router/870_test" <<'END'
plain:
  driver = accept
  domains = +local_domains
  check_local_user
  local_parts = plain
  transport = maildir_home
END
users
exim_start
ok 'the receiver listens' wait_for listens 25
alias_copies=1	# Exim has one delivery for all the aliases of a user that a message names
receiver_cases

# A colon in an address does not become another variable of the agent's environment.
printf '#!/bin/sh\nenv >"$HOME/env"\nexec /usr/local/bin/dedup-lda.real "$@"\n' >"$D/receiver/probe"
chmod 755 "$D/receiver/probe"
mv "$agent" "$agent.real" && mv "$D/receiver/probe" "$agent"
mail_text colon | submit renee@harbour.example '"joe+x:INJECTED=1"@meadow.example'
ok 'delivered' wait_for empty
is "$(has joe colon)" 1 'an address with a colon'
ok 'it sets no variable' not grep -qi '^injected' "$D/receiver/home/joe/env"
mv "$agent.real" "$agent"

echo 'queue_only' >>"$conf/conf.d/main/99_test"
at receiver update-exim4.conf
at receiver sh -c 'kill -HUP "$(cat /run/exim4/exim.pid)"'
crowd
is "$(at receiver exim4 -bpc)" 40 'all wait'
for id in $(at receiver exim4 -bp | awk '$4 ~ /crowd/ { print $3 }'); do
	at receiver exim4 -M "$id" &
done
crowd_expect
sed -i /queue_only/d "$conf/conf.d/main/99_test"
at receiver update-exim4.conf
at receiver sh -c 'kill -HUP "$(cat /run/exim4/exim.pid)"'
trouble_cases
ok 'the agent that was killed: frozen' grep -q ' Frozen' "$log"
ok 'nothing bounced' not grep -E '^[^ ]+ [^ ]+ [^ ]+ \*\* |<= <>' "$log"
plan
