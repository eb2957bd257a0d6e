#!/bin/sh
# Root starts the agent for a user: what it gives up, and when; whom it refuses; homes and spools of all kinds.
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"
message 1 >m
chmod 644 m

# Whom it refuses.
homes
"$BUILD/dedup-lda" -o "mailbox=maildir:$D/M" <m >out 2>err
rc=$?
deferred 'will not deliver as root; use -d user' 'as root'
ok 'as root: nothing is made' not test -e M
for_user root <m
deferred 'will not work as root' '-d root'
for_user toor <m
deferred 'will not work as root' '-d another name for root'
is "$(find /home/root "$HOME" | wc -l)" 2 'nothing is made'
as joe "$BUILD/dedup-lda" -d ann <m 2>err
rc=$?
deferred 'only root may use -d' 'joe for ann'
as joe "$BUILD/dedup-lda" -d joe <m 2>err
rc=$?
delivered /home/joe/Maildir 'joe for joe'

# Users that are not there.
for name in nobody-of-that-name '' ../joe 'joe ' JOE 60001; do
	for_user "$name" <m
	deferred 'no such user' "-d '$name'"
done
echo 'unknown-user = reject' >/etc/dedup-lda.conf
for_user nobody-of-that-name <m
is "$rc $(cat err)" '67 5.1.1 no such user' 'unknown-user = reject: exit 67'
for_user nobody-of-that-name -o unknown-user=defer <m
is "$rc" 75 '-o wins: exit 75'
for_user nobody-of-that-name -o windo=7d <m
is "$rc" 75 'with a mistake in -o: exit 75'
cp /etc/dedup-lda.conf conf
rm /etc/dedup-lda.conf
for_user nobody-of-that-name -c "$D/conf" <m
is "$rc" 67 'the same with -c: exit 67'
yes | head -c 1000000 >large
{ cat large && echo whole >fed; } | for_user nobody-of-that-name -c "$D/conf"
is "$(cat fed)" whole 'all input is read'
# Trouble is not an answer.
mv /etc/passwd /etc/passwd.away
for_user joe -c "$D/conf" <m
mv /etc/passwd.away /etc/passwd
is "$rc" 75 'no user database: exit 75, not 67'
for sources in 'files gone' 'gone files' 'files gone [NOTFOUND=continue UNAVAIL=continue] files' 'gone'; do
	printf 'passwd: %s\ngroup: files\n' "$sources" >/etc/nsswitch.conf
	for_user nobody-of-that-name -c "$D/conf" <m
	is "$rc" 75 "one of the sources '$sources' can not be loaded: exit 75, not 67"
done
for sources in 'files' 'files [NOTFOUND=return SUCCESS=continue] # gone'; do
	printf ' passwd:\t%s\ngroup: files\n' "$sources" >/etc/nsswitch.conf
	for_user nobody-of-that-name -c "$D/conf" <m
	is "$rc" 67 "the sources '$sources' have nobody: exit 67"
done
if can_trace; then
	for error in EMFILE ENFILE ENOMEM EIO EACCES EPERM; do
		run="strace -f -o trace.out -P /etc/passwd -e trace=openat,read -e inject=openat:error=$error"
		for_user nobody-of-that-name -c "$D/conf" <m
		run=
		is "$rc" 75 "$error while the user is looked up: exit 75, not 67"
	done
fi

# Users are looked up by dedup-lda-nss.
homes
lookup_gone() {	# lookup_gone COMMAND...
	mv "$BUILD/dedup-lda-nss" "$BUILD/away"
	"$@"
	went=$?
	mv "$BUILD/away" "$BUILD/dedup-lda-nss"
	return $went
}
lookup_gone for_user joe -c "$D/conf" <m
deferred 'run .*dedup-lda-nss: No such file or directory' 'dedup-lda-nss is missing'
(trap '' CHLD && "$BUILD/dedup-lda" -d joe <m 2>err)
rc=$?
delivered /home/joe/Maildir 'its parent ignores SIGCHLD'
# A plug-in that has answered, and leaves a process behind.
if [ -e "$BUILD/dedup-lda-redis" ]; then
	hanging() {	# hanging COMMAND...
		printf '#!/bin/sh\nprintf "127.0.0.1\\0"\nsleep 20 &\n' >"$BUILD/dedup-lda-nss"
		chmod 755 "$BUILD/dedup-lda-nss"
		"$@"
	}
	printf 'Message-ID: <hangs@example.net>\nDate: today\n\nText.\n' >identified
	begun=$(date +%s)
	lookup_gone hanging as ann "$BUILD/dedup-lda" -o ledger=redis://host.example -o ledger-timeout=1s -o on-ledger-failure=defer <identified 2>err
	rc=$?
	is "$rc" 75 'an answer without an end: exit 75'
	ok 'and in time' test $(($(date +%s) - begun)) -lt 10
else
	skip 'an answer without an end' 'built without Redis'
fi
unlisted() {	# unlisted OPTION...: the agent as a user without an entry
	setpriv --reuid=61234 --regid=61234 --clear-groups --inh-caps=-all env -i HOME="$D/unlisted" "$BUILD/dedup-lda" "$@" <m 2>err
	rc=$?
}
install -d -o 61234 -g 61234 unlisted
unlisted -o 'mailbox=maildir:~/%u/' -o log=stderr
delivered "$D/unlisted/uid61234" 'a user without an entry, whose name is a number'
echo 'passwd: files gone' >/etc/nsswitch.conf
unlisted -o 'mailbox=maildir:~/%u/' -o log=stderr
is "$rc" 75 'a user without an entry, and one source can not say so: exit 75'
echo 'passwd: files' >/etc/nsswitch.conf
lookup_gone unlisted -o log=stderr
is "$rc" 75 'a user without an entry, and nobody can say so: exit 75'
# /etc/passwd has the others.
lookup_gone as ann "$BUILD/dedup-lda" <m 2>err
rc=$?
delivered /home/ann/Maildir 'a local user needs no look-up'

# An install that gives its rights away.
for mode in 4755 2755 6755; do
	cp "$BUILD/dedup-lda" "$BUILD/special"
	chown root:mail "$BUILD/special"
	chmod $mode "$BUILD/special"
	homes
	as joe "$BUILD/special" <m 2>err
	rc=$?
	deferred 'must not be installed set-user-id' "mode $mode"
	ok "mode $mode: nothing is made" not test -e /home/joe/Maildir
done

# What it gives up. It waits for its message when we look.
homes
mkfifo pipe
: >leak
"$BUILD/dedup-lda" -d joe -o log=stderr 7>leak <pipe 2>err &
pid=$!
exec 3>pipe
wait_for test -d /home/joe/.dedup-lda
status() { sed -n "s/^$1:[	 ]*//p" /proc/$pid/status | tr '\t' ' ' | sed 's/ *$//'; }
is "$(status Uid)" '60001 60001 60001 60001' 'all of its user ids are the user'
is "$(status Gid)" '60001 60001 60001 60001' 'all of its group ids are the group'
is "$(status Groups)" "60001 60100" "its groups are the user's"
for set in CapInh CapPrm CapEff CapAmb; do
	is "$(status $set)" 0000000000000000 "$set: none"
done
is "$(status Umask)" 0077 'umask 077'
is "$(find /proc/$pid/fd -lname "$D/leak" | wc -l)" 0 "the caller's descriptors are closed"
is "$(awk '/^Max core file size/ { print $5, $6 }' /proc/$pid/limits)" '0 0' 'no core file'
cat m >&3
exec 3>&-
wait $pid
rc=$?
delivered /home/joe/Maildir 'then it delivers'
is "$(find /home/joe ! -user joe -o ! -group joe | wc -l)" 0 'all of it is the user.s'
is "$(find /home/joe -mindepth 1 -perm /077 | wc -l)" 0 'and nobody else can read it'
for_user joe -o log=stderr <m
matches "$(cat err)" '^action=duplicate .*user=joe mailbox=maildir:/home/joe/Maildir ' 'again: a duplicate'

# In which order. Nothing of the user's, nor of the message, is touched before the rights are gone.
line() { grep -n "$1" trace.out | head -n 1 | cut -d: -f1; }
before() {	# before PATTERN PATTERN: lines of the trace
	first=$(line "$1") second=$(line "$2")
	[ -n "$first" ] && [ -n "$second" ] && [ "$first" -lt "$second" ]
}
if can_trace; then
	for kind in maildir:~/Maildir mbox:~/mbox; do
		homes
		printf 'window = 1d\n' >/home/joe/.dedup-lda.conf
		chown joe: /home/joe/.dedup-lda.conf
		run='strace -f -o trace.out'
		for_user joe -o "mailbox=$kind" -o log=file:~/log <m
		run=
		is "$rc" 0 "$kind: traced"
		ok "$kind: groups, then group" before 'setgroups(2, \[60001, 60100\]) *= 0' 'setresgid(60001, 60001, 60001) *= 0'
		ok "$kind: group, then user" before 'setresgid(60001, 60001, 60001) *= 0' 'setresuid(60001, 60001, 60001) *= 0'
		ok "$kind: no way back" before 'setresuid(60001, 60001, 60001) *= 0' 'setuid(0) *= -1 EPERM'
		ok "$kind: then the home" before 'setuid(0) *= -1 EPERM' '"/home/joe'
		ok "$kind: then the message" before '"/home/joe/.dedup-lda' 'read(0, '
	done
	# Each step can fail, or only seem to succeed.
	for fault in setgroups:error=EPERM setresgid:error=EPERM setresuid:error=EPERM setresuid:error=EAGAIN setresgid:retval=0 \
	    setresuid:retval=0; do
		homes
		run="strace -f -o trace.out -e inject=$fault"
		for_user joe <m
		run=
		deferred 'user' "$fault"
		ok "$fault: nothing of the user's was touched" not grep -q '"/home/joe' trace.out
		is "$(find /home/joe | wc -l)" 1 "$fault: nothing is made"
	done
else
	skip 'the order' 'strace can not trace here'
fi

# Homes.
home() { for_user "$@" -o log=stderr <m; }	# home USER OPTION...: deliver there
homes
home wanda
is "$rc" 75 'a missing home: exit 75'
matches "$(head -n 1 err)" '^4\.3\.0 open folder /home/gone/wanda: No such file' 'a missing home: the first line says why'
ok 'a missing home: it is not made' not test -e /home/gone
homes
home lin
delivered /home/elsewhere/Maildir 'a home that is a link of root'
printf 'window = 2d\n' >/home/elsewhere/.dedup-lda.conf
chown lin: /home/elsewhere/.dedup-lda.conf
home lin
matches "$(cat err)" '^action=duplicate ' 'the same, with a configuration: a duplicate'
homes
mv /home/joe /home/moved
mkdir "$D/homes"
mv /home/moved "$D/homes/joe"
ln -s "$D/homes/joe" /home/joe
home joe
delivered "$D/homes/joe/Maildir" 'a home on another disk, behind a link'
rm -r "$D/homes"

# Whose home, and who else can write it. The mailbox itself must be the user's; of the home only a configuration asks more.
for case in root:root:755 ann:ann:755 joe:crew:2775 joe:joe:775 joe:joe:777 joe:joe:1777; do
	homes
	install -d -o joe -g joe -m 700 /home/joe/Maildir /home/joe/.dedup-lda
	chown "${case%:*}" /home/joe
	chmod "${case##*:}" /home/joe
	home joe
	delivered /home/joe/Maildir "home $case, with mailbox and ledger"
	home joe
	matches "$(cat err)" '^action=duplicate ' "home $case, again: a duplicate"
	printf 'window = 2d\n' >/home/joe/.dedup-lda.conf
	chown joe: /home/joe/.dedup-lda.conf
	home joe
	case $case in
	joe:joe:775) matches "$(cat err)" '^action=duplicate ' "home $case, with a configuration: the user's own group may write" ;;
	*) deferred '/home/joe: (belongs to user|everybody can write it|its group can write it)' "home $case, with a configuration" ;;
	esac
	homes
	chown "${case%:*}" /home/joe
	chmod "${case##*:}" /home/joe
	home joe
	case $case in
	joe:*) delivered /home/joe/Maildir "home $case, empty" ;;
	*)
		is "$rc" 75 "home $case, empty: exit 75"
		matches "$(head -n 1 err)" "does not exist, and its parent folder is not the user's own" "home $case, empty: why" ;;
	esac
done
homes
for owner in ann root; do
	install -d -o $owner -m 777 /home/joe/Maildir /home/joe/Maildir/tmp /home/joe/Maildir/new /home/joe/Maildir/cur
	home joe
	is "$rc" 75 "a Maildir of $owner: exit 75"
	matches "$(head -n 1 err)" 'folder /home/joe/Maildir: belongs to another user' "a Maildir of $owner: why"
	is "$(find /home/joe/Maildir -type f | wc -l)" 0 "a Maildir of $owner: nothing is in it"
done

# A Maildir that is a link: root's is where the administrator has moved it; any other is refused.
moved() { homes; install -d -o "${1:-joe}" -m 700 "$D/disk" && ln -s "$D/disk" /home/joe/Maildir; }
moved
home joe
delivered "$D/disk" "root's link to a folder of the user"
if can_trace; then
	rm -r "$D/disk"
	moved
	run=$(kill_at "$RENAME" 1)
	message early >in
	for_user joe <m
	run=
	is "$(find "$D/disk/tmp" -type f | wc -l)" 1 "root's link, killed before the rename: staged"
	home joe
	matches "$(cat err)" '^action=helped ' "root's link, the next copy: helped"
	delivered "$D/disk" "root's link, the next copy"
fi
rm -r "$D/disk"
moved
chown -h joe: /home/joe/Maildir
home joe
is "$rc" 75 "the user's link: exit 75"
matches "$(head -n 1 err)" "is a symbolic link that is not root's: let the configuration name its target" "the user's link: why"
is "$(find "$D/disk" | wc -l)" 1 "the user's link: nothing is there"
home joe -o "mailbox=maildir:$D/disk"
delivered "$D/disk" "the target itself"
rm -r "$D/disk"
moved ann
home joe
is "$rc" 75 "root's link to a folder of ann: exit 75"
is "$(find "$D/disk" | wc -l)" 1 "root's link to a folder of ann: nothing is there"
rm -r "$D/disk"
home joe
is "$rc" 75 "root's link to nothing: exit 75"
matches "$(head -n 1 err)" 'open folder /home/joe/Maildir: No such file' "root's link to nothing: why"
ok "root's link to nothing: it is not made" not test -e "$D/disk"

# The spool.
spool() {	# spool MODE GROUP
	homes
	chown "root:$2" /var/mail
	chmod "$1" /var/mail
}
mail_to() {	# mail_to USER
	for_user "$1" -o 'mailbox=mbox:/var/mail/%u' -o log=stderr <m
}
in_box() { grep -c '^Message-ID: <1@' "/var/mail/$1"; }
spool 2775 mail
mail_to mia
is "$rc $(in_box mia) $(stat -c '%U:%G:%a' /var/mail/mia)" '0 1 mia:mail:600' 'in group mail: the mbox is made'
is "$(grep -c 'notice=' err)" 0 'in group mail: with a dotlock'
mail_to mia
is "$rc $(in_box mia)" '0 1' 'in group mail, again: one copy'
install -o joe -g mail -m 660 /dev/null /var/mail/joe
mail_to joe
is "$rc $(in_box joe) $(stat -c '%U:%G:%a' /var/mail/joe)" '0 1 joe:mail:660' 'not in group mail: delivered, owner and mode stay'
says 'notice="/var/mail/joe: no dotlock can be made in its folder: locked with fcntl alone"' 'not in group mail: the log says how'
mail_to joe
is "$rc $(in_box joe)" '0 1' 'not in group mail, again: one copy'
echo 1 >/var/mail/joe.lock
message 2 >m2
for_user joe -o 'mailbox=mbox:/var/mail/%u' -o lock-timeout=1s <m2
deferred 'somebody else holds a dotlock' 'not in group mail: a dotlock of who can make one counts'
spool 2775 mail
mail_to joe
is "$rc" 75 'not in group mail, no mbox: exit 75'
matches "$(head -n 1 err)" 'mbox /var/mail/joe: does not exist, and the user may not make files in its folder' 'not in group mail, no mbox: why'
is "$(find /var/mail -mindepth 1 | wc -l)" 0 'not in group mail, no mbox: nothing is made'
spool 1777 root
mail_to joe
is "$rc $(in_box joe) $(stat -c '%U:%a' /var/mail/joe)" '0 1 joe:600' 'mode 1777: the mbox is made'
is "$(grep -c 'notice=' err)" 0 'mode 1777: with a dotlock'
is "$(find /var/mail -mindepth 1 | wc -l)" 1 'mode 1777: nothing but the mbox is left'
# Anybody can make a dotlock there, which the user can't remove: mail waits, and the log says for what.
as ann sh -c 'echo 1 >/var/mail/joe.lock'
for age in now '1 hour ago'; do
	touch -d "$age" /var/mail/joe.lock
	for_user joe -o 'mailbox=mbox:/var/mail/%u' -o lock-timeout=1s <m2
	deferred 'somebody else holds a dotlock' "mode 1777: a dotlock of ann's, $age"
done
rm /var/mail/joe.lock
for_user joe -o 'mailbox=mbox:/var/mail/%u' <m2
is "$rc $(grep -c '^Message-ID: <2@' /var/mail/joe)" '0 1' "mode 1777: a dotlock of ann's, removed"
for owner in ann root; do
	spool 1777 root
	install -o $owner -m 666 /dev/null /var/mail/joe
	mail_to joe
	is "$rc" 75 "an mbox of $owner: exit 75"
	matches "$(head -n 1 err)" 'mbox /var/mail/joe: belongs to another user' "an mbox of $owner: why"
	is "$(stat -c %s /var/mail/joe)" 0 "an mbox of $owner: nothing is in it"
done
spool 755 root
install -o joe -g mail -m 660 /dev/null /var/mail/joe
mail_to joe
is "$rc $(in_box joe)" '0 1' 'mode 755: delivered'
plan
