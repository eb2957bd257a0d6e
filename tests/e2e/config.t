#!/bin/sh
# Where the configuration comes from, whom it is believed, and what an address can do to a path.
# shellcheck disable=SC2016,SC2088 # the agent expands these, not the shell
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
conf=$HOME/.dedup-lda.conf
# bare OPTION... <message: the agent with what the files say
bare() {
	"$BUILD/dedup-lda" "$@" >out 2>err
	rc=$?
}
refuses() {	# refuses REASON NAME OPTION...: exit 75 with that reason, and nothing is made
	reason=$1 what=$2
	shift 2
	bare "$@" <m
	is "$rc" 75 "$what: exit 75"
	matches "$(head -n 1 err)" "^4\.3\.0 .*$reason" "$what: the first line says why"
	is "$(lines err)" 1 "$what: one line"
	is "$(find "$HOME" ! -name .dedup-lda.conf | wc -l)" 1 "$what: nothing is made"
}
takes() {	# takes FOLDER NAME OPTION...: delivered there
	where=$1 what=$2
	shift 2
	bare "$@" <m
	is "$rc $(copies_in "$where")" '0 1' "$what: delivered there" || diag "$(cat err)"
	chmod -R u+w "$where"
	find "$HOME" -mindepth 1 ! -name .dedup-lda.conf -delete
}

# Defaults and the user's file.
takes "$HOME/Maildir" 'no file'
printf '# mine\nmailbox = "maildir:~/Mail" # here\nledger = none\nlog = "file:~/log"\nadd-headers = {}\n' >"$conf"
takes "$HOME/Mail" "the user's file"
bare -a a@b <m
ok 'its other keys count' cmp "$(only_in "$HOME/Mail")" m
matches "$(cat "$HOME/log")" 'action=delivered' 'so does the log'
ok 'no ledger was made' not test -e "$HOME/.dedup-lda"
find "$HOME" -mindepth 1 ! -name .dedup-lda.conf -delete
takes "$HOME/Other" '-o wins' -o mailbox='maildir:~/Other'
takes "$HOME/Other" 'the last -o wins' -o mailbox='maildir:~/Third' -o mailbox='maildir:~/Other'
printf 'mailbox = "maildir:~/File"\nledger = none\n' >file.conf
takes "$HOME/File" '-c: only that file' -c file.conf
takes "$HOME/File" '-c with a path' -c "$D/file.conf"
takes "$HOME/Other" '-o wins over -c' -c file.conf -o mailbox='maildir:~/Other'
refuses 'missing.conf: there is no such file' '-c with a missing file' -c missing.conf
refuses 'missing/file.conf: there is no such file' '-c with a missing folder' -c missing/file.conf
refuses 'is longer than [0-9]+ bytes' '-c with a path that is too long' -c "/$(printf '%05000d' 0)"
mkdir searched
cp file.conf searched/
chmod 100 searched
takes "$HOME/File" '-c in a folder that can not be listed' -c searched/file.conf
chmod 700 searched
rm -r searched
mkdir folder
refuses 'folder: is not a regular file' '-c with a folder' -c folder
ln -s file.conf link.conf
refuses 'link.conf: is a symbolic link' '-c with a symbolic link' -c link.conf
mkfifo fifo.conf
run_out() { timeout 60 "$BUILD/dedup-lda" -c fifo.conf <m >out 2>err; }
run_out
is $? 75 '-c with a FIFO: exit 75, no wait'
chmod 666 file.conf
refuses 'file.conf: everybody can write it' '-c with a file that everybody can write' -c file.conf
chmod 600 file.conf

# Whose file is believed.
for mode in 602 666 620; do
	chmod $mode "$conf"
	refuses '\.dedup-lda\.conf: (everybody|its group) can write it' "mode $mode"
done
chmod 600 "$conf"
chmod 777 "$HOME"
refuses "$HOME: everybody can write it" 'a home that everybody can write'
chmod 755 "$HOME"
mv "$conf" elsewhere
ln -s "$D/elsewhere" "$conf"
refuses '\.dedup-lda\.conf: is a symbolic link' 'a symbolic link'
rm "$conf"
mkfifo "$conf"
refuses '\.dedup-lda\.conf: is not a regular file' 'a FIFO'
rm "$conf"
HOME=/usr/share
bare <m
if [ -w /usr/share ] || [ -e /usr/share/.dedup-lda.conf ]; then
	skip "somebody else's home" 'it is ours'
else
	is $rc 75 "somebody else's home: exit 75"
fi
HOME=$D/home
# A home of somebody else that has a configuration: only root could make one.
mv elsewhere "$conf"

# What is wrong says where.
wrong() {	# wrong LINE REASON TEXT: the file with that text
	printf '%b' "$3" >"$conf"
	refuses "$conf:$1: .*$2" "wrong: $2"
}
wrong 3 'nonsense' '# a comment\n\nnonsense = 1\nwindow = 1d\n'
wrong 2 "window: 'soon' is not a value" 'ledger = none\nwindow = soon\n'
wrong 1 'duplicates' 'duplicates = proved\n'
wrong 1 'not closed' 'mailbox = "maildir:~/M\n'
wrong 1 'environment variables' 'mailbox = "maildir:${HOME}/M"\n'
wrong 1 'mailbox' 'mailbox = maildir:~root/M\n'
wrong 1 'unknown variable %x' 'mailbox = "maildir:/%x"\n'
wrong 2 'byte 0x00' 'ledger = none\n\0000\n'
wrong 1 'received' 'fingerprint-headers = {date, received}\n'
printf 'window = {\n' >"$conf"
refuses "$conf" 'an open brace'
head -c 1000000 /dev/zero | tr '\0' '\n' >"$conf"
refuses "$conf: is larger than" 'a huge file'
rm "$conf"

# Variables.
user=$(id -un)
delivered() {	# delivered PATH MAILBOX ADDRESS: a Maildir with that configured path is PATH
	mkdir -p "$(dirname "$1")"
	takes "$1" "$2 for ${3:-nobody}" -o ledger=none -o "mailbox=maildir:$2" ${3:+-a "$3"}
}
delivered "$HOME/a" '~/a'
delivered "$HOME/b" '%h/b'
delivered "$HOME/c-$user" '~/c-%u'
delivered "$HOME/d%" '~/d%%'
delivered "$HOME/example.org/bob" '~/%d/%n' bob@example.org
delivered "$HOME/example.org/bob" '~/%d/%n' Bob+lists@Example.ORG
delivered "$HOME/bob" '~/%n' '<bob@example.org>'
delivered "$HOME/bob" '~/%n' bob+lists
delivered "$HOME/e" '~/./e//'
bare -o ledger=none -o mailbox='maildir:~/%n' -o recipient-delimiter=- -a bob-lists@x <m
is "$rc $(copies_in "$HOME/bob")" '0 1' 'recipient-delimiter = -'
find "$HOME" -mindepth 1 -delete

# An address can't leave its place.
i=0
for address in ../../etc/x@y ../x@y x@../y x@.. ..@y .@y .x@y a/b@c x@a/b /@y x@ @y '' x \
    "$(printf 'a\nb@c')" "$(printf 'x@\033[2J')" "$(printf 'x\177@y')" "$(printf '%0300d@y' 0)" "x@$(printf '%0300d' 0)" +x@ '%u@'; do
	i=$((i + 1))
	refuses '(can.t be part of a path|has no domain|is empty)' "hostile address $i" -o "mailbox=maildir:$HOME/%d/%n" -o ledger=none \
	    -a "$address"
	refuses '(can.t be part of a path|has no domain|is empty)' "hostile address $i, as a ledger" -o "mailbox=maildir:$HOME/M" \
	    -o "ledger=bdb:$HOME/%d/%n" -a "$address"
done
bare -o "mailbox=maildir:$HOME/%n" -o ledger=none -a '%h%u~@y' <m
is "$rc $(copies_in "$HOME/%h%u~")" '0 1' 'a value is not expanded again'
plan
