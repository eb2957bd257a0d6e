#!/bin/sh
# What an administrator copies from the README or the manual is what the tests run with real MTAs: the lines that lose mail, or let a
# sender in, when they are a little different.
here=$PWD
. "$here/tests/e2e/tap.sh"

# same FILE LINE...: each line stands in the file, whatever white space is around it; troff's \e is a backslash
same() {
	file=$1
	shift
	sed 's/\\e/\\/g; s/\\(dq/"/g' "$here/$file" | tr -s ' \t\n' '   ' >text
	for line; do
		ok "$file: $line" grep -qF -e "$line" text
	done
}
# line PATTERN FILE: from an example, joined with the lines that continue it
line() { tr -s ' \t\n' '   ' <"$here/examples/$2" | grep -o -e "$1" | head -n 1; }

postfix=$(line 'mailbox_command = .* || exit 75' postfix/main.cf)
exim=$(line 'environment = ORIGINAL[^}]*}{[^}]*}}' exim/transport)
smtpd=$(line '"local" mda .* || exit 75' opensmtpd/smtpd.conf)
forward=$(cat "$here/examples/forward/forward")
ok 'the examples have them all' test -n "$postfix" -a -n "$exim" -a -n "$smtpd" -a -n "$forward"
same README.md "$postfix" "$exim" "$forward"
same man/dedup-lda.8 "$postfix" "$exim" "$forward" "-m \\\"\\\$EXTENSION\\\" || exit 75"

# Links within the documentation lead somewhere; an anchor is a heading in small letters, with - for blanks and without other signs.
anchors() { sed -n 's/^##* //p' "$1" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-'; }
for file in README.md HACKING.md docs/dedupdb.md docs/gaps.md docs/big-sites.md docs/measurements.md; do
	grep -o '](\([^):]*\))' "$here/$file" | sed 's/^](//; s/)$//' | sort -u >links
	bad=
	while IFS= read -r link; do
		to=$here/$file
		[ "${link%%#*}" = '' ] || to=$here/$(dirname "$file")/${link%%#*}
		[ -e "$to" ] || bad="$bad $link"
		case $link in *'#'*) anchors "$to" | grep -qxF -e "${link#*#}" || bad="$bad $link" ;; esac
	done <links
	is "$bad" '' "$file: every link leads somewhere"
done
plan
