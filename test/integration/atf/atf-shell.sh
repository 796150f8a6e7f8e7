# The functions of atf-sh(3) for hosts that have no atf-sh: reads a test program and lists its cases, or runs one part of one.
#
#   sh atf-shell.sh PROGRAM -l
#   sh atf-shell.sh PROGRAM -r RESULT CASE[:body|:cleanup]
#
# RESULT is the file that gets one line: passed, "failed: WHY", "skipped: WHY" or "expected_failure: WHY". Work folders, time-outs and
# required programs are the runner's: test/fixtures/atf-program.ts. Missing: configuration variables, atf_expect_death and its kin.

atf_cases=
atf_case=
atf_names=
atf_expected=
atf_result=/dev/stdout

atf_say()
{
	echo "$*" >"$atf_result"
}

# The name of a shell variable for property $2 of case $1.
atf_variable()
{
	echo "atf_value_$1_$2" | tr .- __
}

atf_test_case()
{
	eval "$1_head() { :; }; $1_body() { atf_fail 'no body'; }; $1_cleanup() { :; }"
	eval "atf_cleans_$1=${2:-no}"
}

atf_add_test_case()
{
	atf_cases="$atf_cases $1"
}

atf_set()
{
	atf_name=$1
	shift
	atf_names="$atf_names $atf_name"
	eval "$(atf_variable "$atf_case" "$atf_name")=\$*"
}

atf_get()
{
	eval "echo \"\$$(atf_variable "$atf_case" "$1")\""
}

atf_get_srcdir()
{
	echo "$atf_folder"
}

atf_fail()
{
	if [ -n "$atf_expected" ]; then
		atf_say "expected_failure: $atf_expected: $*"
		exit 0
	fi
	atf_say "failed: $*"
	exit 1
}

atf_pass()
{
	[ -z "$atf_expected" ] || atf_unexpected
	atf_say passed
	exit 0
}

atf_skip()
{
	atf_say "skipped: $*"
	exit 0
}

atf_expect_fail()
{
	atf_expected=$*
}

atf_expect_pass()
{
	[ -z "$atf_expected" ] || atf_unexpected
	atf_expected=
}

atf_unexpected()
{
	atf_why=$atf_expected
	atf_expected=
	atf_fail "no failure, where one was expected: $atf_why"
}

atf_require_prog()
{
	command -v "$1" >/dev/null || atf_skip "$1 is not installed"
}

atf_check_equal()
{
	eval "[ \"$1\" = \"$2\" ]" || atf_fail "$1 is not $2"
}

# Whether file $1 is as the action $2 demands; says so if not.
atf_output_fits()
{
	case $2 in
	ignore)
		return 0 ;;
	empty)
		[ ! -s "$1" ] || { atf_differs "$1" "nothing was expected"; return 1; } ;;
	not-empty)
		[ -s "$1" ] || { atf_differs "$1" "something was expected"; return 1; } ;;
	inline:*)
		printf %b "${2#inline:}" >"$atf_check_folder/wanted"
		diff "$atf_check_folder/wanted" "$1" >&2 || { atf_differs "$1" "other text was expected"; return 1; } ;;
	not-inline:*)
		printf %b "${2#not-inline:}" | cmp -s - "$1" && { atf_differs "$1" "any other text was expected"; return 1; } ;;
	file:*)
		diff "${2#file:}" "$1" >&2 || { atf_differs "$1" "the text of ${2#file:} was expected"; return 1; } ;;
	not-file:*)
		cmp -s "${2#not-file:}" "$1" && { atf_differs "$1" "any other text than ${2#not-file:} was expected"; return 1; } ;;
	match:*)
		grep -qE -e "${2#match:}" "$1" || { atf_differs "$1" "no line matches '${2#match:}'"; return 1; } ;;
	not-match:*)
		grep -qE -e "${2#not-match:}" "$1" && { atf_differs "$1" "a line matches '${2#not-match:}'"; return 1; } ;;
	save:*)
		cp "$1" "${2#save:}" ;;
	*)
		echo "atf_check: unknown action '$2'" >&2
		return 1 ;;
	esac
	return 0
}

atf_differs()
{
	echo "${1##*/}: $2:" >&2
	cat "$1" >&2
}

# Name of a signal, which is given by number or name, without SIG.
atf_signal()
{
	case $1 in
	[0-9]*) kill -l "$1" ;;
	*) echo "$1" | tr a-z A-Z | sed 's/^SIG//' ;;
	esac
}

# Whether status $1 is as $2 demands.
atf_status_fits()
{
	case $2 in
	ignore) return 0 ;;
	exit) [ "$1" -lt 128 ] ;;
	exit:*) [ "$1" = "${2#exit:}" ] ;;
	not-exit:*) [ "$1" != "${2#not-exit:}" ] ;;
	signal) [ "$1" -gt 128 ] ;;
	signal:*) [ "$(kill -l "$1")" = "$(atf_signal "${2#signal:}")" ] ;;
	eq:*) [ "$1" = "${2#eq:}" ] ;;
	ne:*) [ "$1" != "${2#ne:}" ] ;;
	*)
		echo "atf_check: unknown status '$2'" >&2
		return 1 ;;
	esac
}

# Runs in a shell of its own, so that options of one check are not those of the next.
atf_check()
{
	(atf_one_check "$@") || atf_fail "a check failed: $*"
}

atf_one_check()
{
	atf_status=exit:0
	atf_out=
	atf_err=
	atf_by_shell=no
	OPTIND=1
	while getopts s:o:e:x atf_option; do
		case $atf_option in
		s) atf_status=$OPTARG ;;
		# One action a line: an inline text is written with \n.
		o) atf_out="$atf_out$OPTARG
" ;;
		e) atf_err="$atf_err$OPTARG
" ;;
		x) atf_by_shell=yes ;;
		*) exit 1 ;;
		esac
	done
	shift $((OPTIND - 1))
	atf_check_folder=$(mktemp -d "${TMPDIR:-/tmp}/atf-check.XXXXXX")
	trap 'rm -rf "$atf_check_folder"' EXIT
	echo "check: $*"
	# A shell writes of killed commands to standard error, which must not be theirs.
	if [ $atf_by_shell = yes ]; then
		(exec sh -c "$*") >"$atf_check_folder/stdout" 2>"$atf_check_folder/stderr"
	else
		(exec env "$@") >"$atf_check_folder/stdout" 2>"$atf_check_folder/stderr"
	fi
	atf_code=$?
	atf_good=yes
	atf_status_fits $atf_code "$atf_status" || { echo "status: $atf_code, where $atf_status was expected" >&2; atf_good=no; }
	atf_stream_fits "$atf_check_folder/stdout" "${atf_out:-empty}" || atf_good=no
	atf_stream_fits "$atf_check_folder/stderr" "${atf_err:-empty}" || atf_good=no
	[ $atf_good = yes ]
}

# Whether file $1 fits all actions, the lines of $2.
atf_stream_fits()
{
	atf_fits=yes
	while IFS= read -r atf_action; do
		[ -z "$atf_action" ] || atf_output_fits "$1" "$atf_action" || atf_fits=no
	done <<END
$2
END
	[ $atf_fits = yes ]
}

atf_read_head()
{
	atf_case=$1
	atf_names=
	"$1_head"
}

atf_list()
{
	echo 'Content-Type: application/X-atf-tp; version="1"'
	for atf_each in $atf_cases; do
		atf_read_head "$atf_each"
		echo
		echo "ident: $atf_each"
		eval "[ \$atf_cleans_$atf_each != cleanup ]" || echo "has.cleanup: true"
		for atf_each_name in $atf_names; do
			echo "$atf_each_name: $(atf_get "$atf_each_name")"
		done
	done
}

atf_run()
{
	case " $atf_cases " in
	*" ${1%%:*} "*) ;;
	*)
		echo "$atf_program has no case ${1%%:*}" >&2
		exit 1 ;;
	esac
	atf_read_head "${1%%:*}"
	case $1 in
	*:cleanup)
		"${1%%:*}_cleanup" ;;
	*)
		"${1%%:*}_body" || { atf_code=$?; atf_expected=; atf_fail "the body ended with status $atf_code"; }
		atf_pass ;;
	esac
}

atf_program=$1
atf_folder=$(cd "$(dirname "$1")" && pwd)
shift
. "$atf_folder/${atf_program##*/}"
atf_init_test_cases
if [ "$1" = -l ]; then
	atf_list
else
	[ "$1" != -r ] || { atf_result=$2; shift 2; }
	atf_run "$1"
fi
