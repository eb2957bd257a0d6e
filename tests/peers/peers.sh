#!/bin/sh
# Other delivery agents, and this one, each with its way to keep duplicates out: how to set them up and to call them. To be sourced
# by a script that has set $peers to this folder, and $BUILD.
#
#	peers			their names
#	peer_kinds PEER		the kinds of mailbox that it writes: maildir, mbox
#	peer_there PEER		is it installed?
#	peer_version PEER	what it is, on one line
#	peer_prepare PEER KIND HOME	make the folder HOME, an absolute path, with its configuration and an empty mailbox
#	peer_command PEER HOME	the words of the command that delivers its standard input, one a line, without blanks in them
#	peer_mailbox KIND HOME	where the mail is
#
# With $peer_hurry set, procmail does not sleep for 8 or 16 seconds before it looks at a lock file again, which it does by default.
#
# They run as the user who calls, with HOME, USER and LOGNAME set, and without setuid and setgid bits (setpriv --no-new-privs),
# with which procmail would make a mailbox in /var/mail. All they keep is in HOME, so what has been there, put back under the same
# path, is the same state. Exit 0 is done; after anything else the MTA tries again.

peers() { echo 'procmail maildrop fdm dovecot-lda dedup-lda'; }

peer_kinds() {
	case $1 in
	dovecot-lda) echo maildir ;;	# its manual advises against mbox
	*) echo 'maildir mbox' ;;
	esac
}

peer_program() {
	case $1 in
	dovecot-lda) echo /usr/lib/dovecot/dovecot-lda ;;
	dedup-lda) echo "$BUILD/dedup-lda" ;;
	*) echo "/usr/bin/$1" ;;
	esac
}

peer_there() {
	[ -x "$(peer_program "$1")" ] || return 1
	[ "$1" != dovecot-lda ] || [ -e /usr/lib/dovecot/modules/lib90_sieve_plugin.so ]
}

peer_package() {	# peer_package NAME: and its version
	dpkg-query -W -f '${Package} ${Version}' "$1"
}

peer_version() {
	case $1 in
	procmail) echo "$(peer_package procmail), formail -D" ;;
	maildrop) echo "$(peer_package maildrop), reformail -D" ;;
	fdm) echo "$(peer_package fdm), cache" ;;
	dovecot-lda) echo "$(peer_package dovecot-sieve), Sieve duplicate" ;;
	dedup-lda) "$BUILD/dedup-lda" -V | head -n 1 ;;
	esac
}

peer_mailbox() {
	case $1 in
	maildir) echo "$2/Maildir" ;;
	mbox) echo "$2/mbox" ;;
	esac
}


# fill KIND HOME FILE...: the configuration files of this folder, into the home. @SLASH@ ends the path of a Maildir.
peer_fill() {
	peer_kind=$1 peer_home=$2 peer_slash=
	shift 2
	[ "$peer_kind" != maildir ] || peer_slash=/
	for peer_file; do
		# shellcheck disable=SC2154 # $peers, of who sources this
		sed "s|@HOME@|$peer_home|g; s|@KIND@|$peer_kind|; s|@SLASH@|$peer_slash|
		    s|@MAILBOX@|$(peer_mailbox "$peer_kind" "$peer_home")|" "$peers/$peer_file" >"$peer_home/$peer_file" &&
			chmod 600 "$peer_home/$peer_file" || return 1
	done
}

# maildrop makes no Maildir, so all get one. Who has an mbox makes it.
peer_prepare() {
	mkdir -p "$3" && chmod 700 "$3" || return 1
	if [ "$2" = maildir ]; then
		mkdir -m 700 "$3/Maildir" "$3/Maildir/tmp" "$3/Maildir/new" "$3/Maildir/cur" || return 1
	fi
	case $1 in
	procmail) peer_fill "$2" "$3" procmailrc ;;
	maildrop) peer_fill "$2" "$3" mailfilter ;;
	fdm) peer_fill "$2" "$3" fdm.conf ;;
	dovecot-lda) peer_fill "$2" "$3" dovecot.conf dovecot.sieve ;;
	dedup-lda) peer_fill "$2" "$3" dedup-lda.conf ;;
	esac
}

peer_command() {
	peer_program "$1"
	case $1 in
	procmail) printf '%s\n' -f- -t ${peer_hurry:+SUSPEND=0 LOCKSLEEP=0} "ORGMAIL=$2/mbox" "HOME=$2" "$2/procmailrc" ;;
	maildrop) echo "$2/mailfilter" ;;
	fdm) printf '%s\n' -m -f "$2/fdm.conf" -a stdin fetch ;;
	dovecot-lda) printf '%s\n' -c "$2/dovecot.conf" ;;
	dedup-lda) printf '%s\n' -c "$2/dedup-lda.conf" ;;
	esac
}
