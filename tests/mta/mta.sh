#!/bin/sh
# What the scripts in this folder share: two machines and a faulty line between them. To be sourced first, by a script that says which
# packages its receiver has:
#
#	receiver=PACKAGES
#	. "$(dirname "$0")/mta.sh"
#
# All of it happens in namespaces of its own. The sender and the receiver are this machine's root file system with a layer of their own,
# in which the packages are installed; the network is nothing but the loopback; no process outlives the script. So the
# configurations are the real ones in their real places, users are real users, and this machine sees nothing of it.
#
#	$D/sender, $D/receiver		their root file systems
#	gapproxy			listens on port 2525, for the receiver on port 25; what it saw is in $D/gaps
#	another one			listens on port 2627, for the sender on port 2626: a gap one hop earlier; what it saw is in $D/far
#
# The sender is harbour.example, 192.0.2.1, the receiver meadow.example, and who hands messages to the sender island.example, 192.0.2.3.
#
# For root; skips without.

here=$(cd "$(dirname "$0")" && pwd)
: "${BUILD:=build}"
BUILD=$(cd "$BUILD" && pwd) || exit 1
export BUILD

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

if [ "${1:-}" != --in-namespace ]; then
	[ "$(id -u)" -eq 0 ] || skip_all 'needs root, for namespaces and users'
	unshare --mount --net --pid --fork true 2>/dev/null || skip_all 'can not make namespaces here'
	for program in chroot ip python3 tar; do
		command -v $program >/dev/null || skip_all "needs $program"
	done
	# shellcheck disable=SC2086,SC2154 # packages, which our script names
	if ! sender_image=$("$here/image" postfix) || ! receiver_image=$("$here/image" $receiver); then
		[ -z "${DEDUP_REQUIRE_MTA:-}" ] || exit 1	# where a skip would go unnoticed
		skip_all "can't get the packages postfix and $receiver"
	fi
	scratch=$(mktemp -d /tmp/dedup-lda-mta.XXXXXX) || exit 1
	trap 'rm -rf "$scratch"' EXIT
	trap 'exit 1' HUP INT TERM
	chmod 711 "$scratch"
	# Not exec'd, and waited for: the folder is removed by a process that does not see the mounts in it.
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/ TMPDIR="$scratch" BUILD="$BUILD" \
		sender_image="$sender_image" receiver_image="$receiver_image" \
		unshare --mount --net --pid --uts --fork --kill-child --mount-proc "$here/$(basename "$0")" --in-namespace &
	inside=$!
	trap 'kill -KILL $inside; exit 1' HUP INT TERM
	wait $inside
	exit
fi

# shellcheck source=tests/e2e/tap.sh
. "$here/../e2e/tap.sh"
trap - EXIT	# who started us removes it all
# shellcheck source=tests/mta/root.sh
. "$here/root.sh"
umask 022
chmod 711 "$D"

# Machines.
machine() {	# machine NAME IMAGE
	root_mount "$D/$1" "$2" && mkdir "$D/$1.home" && mount --bind "$D/$1.home" "$D/$1/home" || exit 1
	rm -f "$D/$1/etc/dedup-lda.conf" "$D/$1/etc/resolv.conf"
	printf "%s\n" "127.0.0.1 localhost" "127.0.1.1 meadow.example meadow" "192.0.2.1 harbour.example" "192.0.2.3 island.example" \
		>"$D/$1/etc/hosts"
	local=$D/$1/usr/local
	install -D -t "$local/bin" "$BUILD/dedup-lda" && install -D -t "$local/sbin" "$BUILD/dedupdb" "$BUILD/dedup-lmtpd" &&
		install -D -t "$local/libexec/dedup-lda" "$BUILD/dedup-lda-nss" || exit 1
}
at() {	# at MACHINE COMMAND...
	root=$D/$1
	shift
	chroot "$root" "$@"
}
user() {	# user NAME: one at the receiver. Its mail goes to ~/Maildir
	at receiver useradd -M -d "/home/$1" -s /bin/sh "$1"
	mkdir -p "$D/receiver/home/$1"
	put "$1" .dedup-lda.conf <<-END
	log = file:~/log
	END
	own "$1"
}
own() { at receiver sh -c "chown -R $1: /home/$1 && chmod 750 /home/$1"; }
put() {	# put USER FILE: standard input, into the home
	cat >"$D/receiver/home/$1/$2" && own "$1"
}

listens() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()' "$1" 2>/dev/null; }

# The sender.
postfix_common() {	# postfix_common MACHINE: what has nothing to do with the tests
	at "$1" postconf -e maillog_file=/var/log/postfix.log compatibility_level=3.6 inet_interfaces=127.0.0.1 inet_protocols=ipv4 \
		disable_dns_lookups=yes smtp_host_lookup=native \
		smtp_tls_security_level= smtpd_tls_security_level= alias_maps=hash:/etc/aliases alias_database=hash:/etc/aliases \
		mynetworks=127.0.0.0/8,192.0.2.0/24 default_process_limit=40 biff=no smtpd_relay_restrictions=permit_mynetworks,reject \
		smtpd_client_connection_count_limit=0
	at "$1" postconf -F '*/*/chroot=n'
}
start_sender() {	# in the background, while the receiver is made; `sender_ready` waits
	(make_sender) &
	making=$!
}
sender_ready() { wait "$making" || exit 1; }
make_sender() {
	machine sender "$sender_image"
	postfix_common sender
	# A broken connection must not delay the other messages.
	at sender postconf -e myhostname=harbour.example mydestination= default_transport='smtp:[127.0.0.1]:2525' \
		smtp_data_done_timeout=3s smtp_connection_cache_on_demand=no initial_destination_concurrency=40 \
		default_destination_concurrency_limit=40 default_destination_concurrency_failed_cohort_limit=1000 \
		default_destination_concurrency_negative_feedback=0
	at sender postconf -MX smtp/inet
	at sender postconf -M '2626/inet=2626 inet n - n - - smtpd'
	at sender postfix start >"$D/sender.start" 2>&1 || cat "$D/sender.start"
	"$here/gapproxy" --from 192.0.2.1 --log "$D/gaps" &
	"$here/gapproxy" --from 192.0.2.3 --listen 127.0.0.1:2627 --to 127.0.0.1:2626 --tag far --log "$D/far" &
	wait_for listens 2525 && wait_for listens 2627 && wait_for listens 2626
}
mail_text() {	# mail_text NAME [FIELD...]: a message
	printf 'Message-ID: <%s@harbour.example>\nDate: Fri, 20 Nov 2026 12:00:00 +0000\nFrom: renee@harbour.example\nSubject: %s\n' "$1" "$1"
	name=$1
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@"
	printf '\nThe text of %s.\nFrom here to there.\n' "$name"
}
send() {	# send SENDER RECIPIENT... <message: through the proxy
	from=$1
	shift
	at sender sendmail -oi -f "$from" "$@"
}
submit() { python3 "$here/submit" "$@"; }	# submit SENDER RECIPIENT... <message: to the receiver itself
# sent: nothing is queued at the sender. What waits is tried again as soon as nothing is on its way.
sent() {
	at sender postqueue -p >"$D/sender.queue"
	if ! grep -q 'queue is empty' "$D/sender.queue"; then
		grep -q '^[0-9A-F]*\*' "$D/sender.queue" || at sender postqueue -f
		return 1
	fi
}

# What came of it.
has() {	# has USER NAME: copies of that message in whatever is in the home
	(cd "$D/receiver/home/$1" && find . -type f ! -path '*/tmp/*' ! -path './.dedup-lda/*' ! -name log \
		-exec grep -ah "^Message-ID: <$2@" {} + | wc -l | tr -d ' ')
}
accepted() {	# accepted FROM: how often the receiver did, of what that sender sent
	grep -Fc "\"sender\": \"$1\"" "$D/gaps"
}
actions() { sed -n "s/.*action=\([a-z]*\) .*<$2@.*/\1/p" "$D/receiver/home/$1/log" | sort | uniq -c | awk '{ printf "%s%s %s", s, $1, $2; s = ", " }'; }

# What every receiver must get right. A script defines, before it uses these:
#
#	empty			does the receiver's queue hold nothing?
#	waiting SENDER		has it tried that sender's message, and kept it?
#	flush			try everything at once
#
# and has the users of `users`.

users() {
	for name in plain maildir mbox each joe ann forward older bare island measured hour; do
		user $name
	done
	put mbox .dedup-lda.conf <<-'END'
	mailbox = mbox:~/mbox
	log = file:~/log
	END
	put each .dedup-lda.conf <<-'END'
	alias-copies = each
	log = file:~/log
	END
	put island .dedup-lda.conf <<-'END'
	trusted-hosts = {harbour.example}
	log = file:~/log
	END
	put forward .forward <"$here/../../examples/forward/forward"
	cat >"$D/receiver/etc/aliases" <<-'END'
	root: joe
	sales: joe
	info: joe
	sales-each: each
	info-each: each
	END
}

# How the connection breaks, and how often. `plain` is delivered to by the MTA itself, which shows that copies do come.
cases='cut-1 cut-3 reset-1 reset-3 stall-1 stall-3'
settled() { sent && empty; }
gap_cases() {
	for name in plain maildir mbox forward; do
		for c in $cases; do
			mail_text "$c-$name" | send "gap-$c-$name@harbour.example" "$name@meadow.example"
		done
	done
	ok 'everything is sent' wait_for settled
	gap_expect plain each
	gap_expect maildir once
	gap_expect mbox once
	gap_expect forward once
	is "$(grep -c 'message may be sent more than once' "$D/sender/var/log/postfix.log")" 48 \
		'the sender says that it may have sent them more than once'
}
gap_expect() {	# gap_expect USER once|each
	for c in $cases; do
		copies=$((${c#*-} + 1))
		is "$(accepted "gap-$c-$1@harbour.example")" $copies "$1, ${c%-*}: accepted $copies times"
		[ "$2" = each ] || copies=1
		is "$(has "$1" "$c-$1")" $copies "$1, ${c%-*}: in the mailbox $copies times" || diag "$(actions "$1" "$c-$1")"
	done
}

# Which hop was it? The report of each user whose mail was cut names it, and so does each line of the log, with a delay that is right to 2 s.
hop_expect() {	# hop_expect USER SENDER RECEIVER [OPTION...]: of tests/mta/hops
	user=$1 from=$2 to=$3
	shift 3
	at receiver dedupdb -d "$user" --json gaps >"report.$user"
	python3 "$here/hops" --proxy "$D/gaps" --agent "$D/receiver/home/$user/log" --report "report.$user" --hop "$from" "$to" "$@" \
		>"hops.$user" 2>&1
	result $? "$user: the report and the log name the hop $from -> $to, and the delay"
	diag "$(head -n 20 "hops.$user")"
}
older() {	# older HOST [HOST]: Received fields of that host and of one before it
	printf 'Received: from workstation (workstation.island.example [192.0.2.77])\n\tby %s (Postfix) with ESMTPSA id 4XyZ12\n' "$1"
	printf '\tfor <someone@meadow.example>; Fri, 20 Nov 2026 11:59:%s +0000 (UTC)\n' 58
}
came() { [ -e "$D/receiver/home/$1/log" ] && [ "$(grep -Ec 'action=(duplicate|helped)' "$D/receiver/home/$1/log")" -ge "$2" ]; }	# came USER COPIES
hop_cases() {
	# A queue with an older hop, one without any, and a gap one hop earlier, which is not blamed on the last one.
	{ older harbour.example; mail_text cut-1-older; } | submit -p 2525 -r 4 gap-cut-1-older@harbour.example older@meadow.example &
	mail_text cut-2-bare | submit -p 2525 -r 5 gap-cut-2-bare@harbour.example bare@meadow.example &
	{ older island.example; mail_text cut-1-island; } |
		submit -p 2627 -r 6 --helo island.example far-cut-1-island@island.example island@meadow.example &
	for who in 'older 1' 'bare 2' 'island 1'; do
		# shellcheck disable=SC2086 # two words
		ok "${who% *}: the copies came" wait_for came $who
	done
	for who in maildir mbox forward; do
		hop_expect $who harbour.example meadow.example
	done
	hop_expect older harbour.example meadow.example
	hop_expect bare harbour.example meadow.example --proof sender
	hop_expect island island.example harbour.example --proxy "$D/far" --tag far
}

# smtp-gap with a real MTA. How long it takes is for the reader: a stopwatch proves nothing here.
measure_gap() {
	"$BUILD/smtp-gap" -y -s 127.0.0.1 --helo harbour.example -f renee@harbour.example -n 5 measured@meadow.example >measured 2>measured.err
	is $? 0 'smtp-gap measures it' || diag "$(cat measured.err)"
	diag "$(cat measured.err measured)"
	matches "$(cat measured)" '^all +20 of 20 ' 'smtp-gap: all were answered'
	ok 'smtp-gap: its messages are delivered' wait_for empty
	is "$(find "$D/receiver/home/measured/Maildir/new" -type f | wc -l)" 20 'smtp-gap: each of them'
	# The agent adds its fields in front, and the MTA its own.
	find "$D/receiver/home/measured/Maildir/new" -type f -exec sed '1,/^Date:/d' {} \; | LC_ALL=C sort | uniq -c | sort -n | tail -n 1 >ruler
	matches "$(cat ruler)" ' [0-9]+ \.\.\.\.\+\.\.\.\.1.*7\.\.$' 'smtp-gap: with the dots that they had'
}

# What a stranger does first, with examples/gap: lose a reply of this MTA, and ask what became of the copy.
first_hour() {
	install -D "$here/../../examples/gap" "$D/receiver/usr/local/share/doc/dedup-lda/examples/gap"
	at receiver /usr/local/share/doc/dedup-lda/examples/gap -w 1 -s 127.0.0.1 hour@meadow.example >hour
	is $? 0 'examples/gap: one copy was delivered, and one discarded' || diag "$(cat hour)"
	is "$(find "$D/receiver/home/hour/Maildir/new" -type f | wc -l)" 1 'examples/gap: one is in the mailbox'
	matches "$(cat hour)" '^ +1 .* -> meadow.example$' 'examples/gap: the hop is reported'
}

recipient_cases() {
	mail_text two | submit renee@harbour.example joe@meadow.example ann@meadow.example
	mail_text aliases | submit renee@harbour.example sales@meadow.example info@meadow.example
	mail_text aliases | submit renee@harbour.example sales-each@meadow.example info-each@meadow.example
	mail_text letter | submit renee@harbour.example joe@meadow.example
	{ mail_text letter 'List-Id: <boats.harbour.example>' && echo '-- the boats list'; } | submit boats@harbour.example joe@meadow.example
	mail_text root | submit renee@harbour.example root@meadow.example
	mkdir -p "$D/receiver/home/ann/Maildir/.work/new" "$D/receiver/home/ann/Maildir/.work/cur" "$D/receiver/home/ann/Maildir/.work/tmp"
	own ann
	mail_text extension | submit renee@harbour.example ann+work@meadow.example
	mail_text no-folder | submit renee@harbour.example ann+none@meadow.example
	ok 'delivered' wait_for empty
	is "$(has joe two) $(has ann two)" '1 1' 'two recipients: each has it'
	is "$(has joe aliases)" 1 'two aliases of a mailbox: once'
	is "$(has each aliases)" "${alias_copies:-2}" "with alias-copies = each: ${alias_copies:-2}"
	is "$(has joe letter)" 2 'a letter, and its copy from a list: both'
	is "$(has joe root)" 1 "root's alias"
	is "$(find "$D/receiver/home/ann/Maildir/.work/new" -type f | wc -l)" 1 'an extension: its folder'
	is "$(has ann no-folder)" 1 'an extension without a folder: the inbox'
	find "$D/receiver/home/ann/Maildir/new" -type f -exec grep -l 'Message-ID: <two@' {} \; >name
	sed '/^$/q' "$(cat name)" | grep -E '^(Return-Path|Delivered-To):' | LC_ALL=C sort >envelope
	is "$(cat envelope)" "Delivered-To: ${delivered_to:-ann@meadow.example}
Return-Path: <renee@harbour.example>" 'envelope fields: each once'
}

# Once the receiver runs.
receiver_cases() {
	sender_ready
	gap_cases
	hop_cases
	measure_gap
	first_hour
	recipient_cases
}

crowd() {	# crowd: two times 20 copies, for a queue that stands still
	mail_text crowd | submit -n 20 crowd@harbour.example joe@meadow.example
	mail_text crowd | submit -n 20 crowd@harbour.example mbox@meadow.example
}
crowd_expect() {
	ok 'all are let go' wait_for empty
	is "$(has joe crowd)" 1 '20 copies at once, Maildir: one'
	is "$(has mbox crowd)" 1 '20 copies at once, mbox: one'
	diag "joe: $(actions joe crowd); mbox: $(actions mbox crowd)"
}

# Trouble at the receiver: the message stays in the queue, and comes once when it is over.
trouble() {	# trouble NAME: and a function `repair`
	for who in joe ${forwards:-}; do
		mail_text "$1" | submit -n 2 "$1@harbour.example" "$who@meadow.example"
	done
	ok "$1: the message waits" wait_for waiting "$1"
	is "$(has joe "$1") $(has forward "$1")" '0 0' "$1: and is not delivered"
	repair
	flush
	ok "$1, repaired: the queue is empty" wait_for empty
	is "$(has joe "$1")" 1 "$1, repaired: delivered once"
	[ -z "${forwards:-}" ] || is "$(has forward "$1")" 1 "$1, repaired: by .forward, too"
}
agent=$D/receiver/usr/local/bin/dedup-lda
trouble_cases() {
	box=$D/receiver/home/joe
	chmod 500 "$box/Maildir/tmp"
	repair() { chmod 700 "$box/Maildir/tmp"; }
	trouble unwritable
	echo 'windows = 7d' >>"$box/.dedup-lda.conf"
	repair() { sed -i /windows/d "$box/.dedup-lda.conf"; }
	trouble unknown-key
	mv "$agent" "$agent.away"
	repair() { mv "$agent.away" "$agent"; }
	forwards=forward
	trouble no-program
	mv "$agent" "$agent.away"
	printf '#!/bin/sh\nkill -9 $$\n' >"$agent"
	chmod 755 "$agent"
	trouble killed
}

ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip addr add 192.0.2.3/32 dev lo
echo meadow.example >/proc/sys/kernel/hostname
