# shellcheck shell=bash
# Completion of dedupdb, smtp-gap and dedup-lda for bash.
#
# Commands, options and configuration keys are asked of the installed programs, by --help and `help keys`: a few milliseconds, and never
# other ones than they have. Records are not asked for: a ledger may hold millions.

# The words up to the cursor, as they are typed: bash splits them at = and : as well.
_dedup_lda_words() {
	local line=${COMP_LINE:0:COMP_POINT}

	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	cur=${words[${#words[@]}-1]}
}

# _dedup_lda_reply PREFIX WORD...: those words that complete what follows the prefix in $cur; one that ends in = gets no blank
_dedup_lda_reply() {
	local prefix=$1 word cut='' breaks=${COMP_WORDBREAKS//[^=:]/}

	shift
	# readline replaces only what follows the last of these
	[[ -z $breaks || $cur != *["$breaks"]* ]] || cut=${cur%"${cur##*["$breaks"]}"}
	for word; do
		[[ $prefix$word == "$cur"* ]] || continue
		word=$prefix$word
		COMPREPLY+=("${word#"$cut"}")
		[[ $word != *[=:/] ]] || compopt -o nospace 2>/dev/null
	done
}

# _dedup_lda_files PREFIX [-d]: files, or folders only, below what follows the prefix
_dedup_lda_files() {
	local prefix=$1 path
	local -a found=()

	compopt -o filenames 2>/dev/null
	while IFS= read -r path; do
		found+=("$path")
	done < <(compgen "${2:--f}" -- "${cur#"$prefix"}")
	_dedup_lda_reply "$prefix" "${found[@]}"
}

# _dedup_lda_setting PREFIX: name=value, with the values of those keys that have a few
_dedup_lda_setting() {
	local prefix=$1 text=${cur#"$1"} line key values
	local -a found=()

	while IFS= read -r line; do
		[[ $line == '  '*=* ]] || continue
		key=${line#  }
		key=${key%%=*}
		values=${line:40}
		if [[ $text != *=* ]]; then
			found+=("$key=")
		elif [[ $key == "${text%%=*}" && $values =~ ^[a-z-]+(, [a-z-]+)*$ ]]; then
			for values in ${values//,/}; do
				found+=("$key=$values")
			done
		fi
	done < <(PATH=$PATH:/usr/local/sbin:/usr/sbin dedupdb help keys 2>/dev/null)
	_dedup_lda_reply "$prefix" "${found[@]}"
}

# The options of a help text in $help: a line for each, as `-l, --ledger=LEDGER`.
_dedup_lda_options() {
	sed -n '/^Options:/,/^$/s/^ \{2,6\}\(-[^ ,]*\(, --[^ ]*\)*\).*/\1/p' <<<"$help"
}

# _dedup_lda_value OPTION: print what its value is called: LEDGER; every choice, if the help has several; nothing if it takes none
_dedup_lda_value() {
	local line

	while IFS= read -r line; do
		[[ ,${line// /}, != *,"$1"[=,]* && ,${line// /}, != *,"$1",* ]] || [[ $line != *=* ]] || echo "${line#*=}"
	done < <(_dedup_lda_options)
}

# _dedup_lda_complete_value PREFIX VALUE...: after an option
_dedup_lda_complete_value() {
	local prefix=$1

	shift
	case $1 in
	FILE) _dedup_lda_files "$prefix" ;;
	HOST*)
		# shellcheck disable=SC2046 # names of hosts have no blanks
		_dedup_lda_reply "$prefix" $(compgen -A hostname -- "${cur#"$prefix"}")
		;;
	USER)
		# shellcheck disable=SC2046 # names of users have no blanks
		_dedup_lda_reply "$prefix" $(compgen -u -- "${cur#"$prefix"}")
		;;
	NAME=VALUE) _dedup_lda_setting "$prefix" ;;
	LEDGER)
		if [[ ${cur#"$prefix"} == bdb:* ]]; then
			_dedup_lda_files "${prefix}bdb:" -d
		else
			_dedup_lda_reply "$prefix" bdb: redis:// redis+unix:// redis+sentinel:// redis+cluster:// none
		fi
		;;
	[a-z]*) _dedup_lda_reply "$prefix" "$@" ;;
	esac
}

# Options of the help text in $help, or the value of the one before; false if neither is meant.
_dedup_lda_complete_option() {
	local before=${words[${#words[@]}-2]} line option
	local -a values found=()

	mapfile -t values < <(_dedup_lda_value "$before")
	if [[ $before == -* && ${#values[@]} -gt 0 ]]; then
		_dedup_lda_complete_value '' "${values[@]}"
	elif [[ $cur == --*=* ]]; then
		mapfile -t values < <(_dedup_lda_value "${cur%%=*}")
		_dedup_lda_complete_value "${cur%%=*}=" "${values[@]}"
	elif [[ $cur == -* ]]; then
		while IFS= read -r line; do
			for option in ${line//,/}; do
				[[ $option != --*=* ]] || option=${option%%=*}=
				[[ " ${found[*]} " == *" $option "* ]] || found+=("$option")
			done
		done < <(_dedup_lda_options)
		_dedup_lda_reply '' "${found[@]}"
	else
		return 1
	fi
}

# The command among the words, or nothing: the first one that is neither an option nor its value.
_dedup_lda_command() {
	local i

	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--*=*) ;;
		-*) [[ -z $(_dedup_lda_value "${words[i]}") ]] || i=$((i + 1)) ;;
		*)
			echo "${words[i]}"
			return
			;;
		esac
	done
}

_dedupdb() {
	local cur help command program=${1/#\~/$HOME}
	local -a words commands

	COMPREPLY=()
	_dedup_lda_words
	help=$("$program" --help 2>/dev/null </dev/null) || return
	mapfile -t commands < <(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$help")
	command=$(_dedup_lda_command)
	if [[ -z $command ]]; then
		_dedup_lda_complete_option || _dedup_lda_reply '' "${commands[@]}"
		return
	fi
	if [[ $command == help ]]; then
		_dedup_lda_reply '' "${commands[@]}" keys
		return
	fi
	[[ " ${commands[*]} " == *" $command "* ]] || return
	help=$("$program" "$command" --help 2>/dev/null </dev/null) || return
	_dedup_lda_complete_option && return
	case ${help%%$'\n'*} in
	*FILE* | *MAILBOX*) _dedup_lda_files '' ;;
	esac
}

_smtp_gap() {
	local cur help program=${1/#\~/$HOME}
	local -a words

	COMPREPLY=()
	_dedup_lda_words
	help=$("$program" --help 2>/dev/null </dev/null) || return
	_dedup_lda_complete_option
}

# The agent has no --help: what it prints is for the MTA.
_dedup_lda() {
	local cur
	local -a words

	COMPREPLY=()
	_dedup_lda_words
	case ${words[${#words[@]}-2]} in
	-c) _dedup_lda_complete_value '' FILE ;;
	-d) _dedup_lda_complete_value '' USER ;;
	-o) _dedup_lda_complete_value '' NAME=VALUE ;;
	-a | -f | -m) ;;
	*) _dedup_lda_reply '' -a -c -d -f -m -n -o -v -V ;;
	esac
}

complete -F _dedupdb dedupdb
complete -F _smtp_gap smtp-gap
complete -F _dedup_lda dedup-lda
