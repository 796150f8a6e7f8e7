# Functions of the scripts of this folder, which read it by `. "$(atf_get_srcdir)/common.sh"`.
#
# A case names its servers by their URLs (unix://one, sockets in its work folder). What it starts is written down in files there, because
# body and cleanup have a shell each.

SERVERS_FILE=.servers
DAEMONS_FILE=.daemons

# Libraries of a server with shmif interfaces and IPv4; serve6 adds IPv6.
LIBS4="-lrumpnet -lrumpnet_net -lrumpnet_netinet -lrumpnet_shmif"
LIBS6="$LIBS4 -lrumpnet_netinet6"

# serve URL [LIBRARY ...]: start a server; `bridge` stands for -lrumpnet_bridge.
serve()
{
	_serve "$LIBS4" "$@"
}

# serve6 URL [LIBRARY ...]: as serve, with IPv6.
serve6()
{
	_serve "$LIBS6" "$@"
}

_serve()
{
	_libraries=$1
	_url=$2
	shift 2
	for _library in "$@"; do
		_libraries="$_libraries -lrumpnet_$_library"
	done
	echo "$_url" >>$SERVERS_FILE
	# shellcheck disable=SC2086
	atf_check -s exit:0 rump_server $_libraries "$_url"
}

# on URL COMMAND ...: run a command at a server.
on()
{
	_at=$1
	shift
	RUMP_SERVER=$_at "$@"
}

# check_on URL [OPTION ...] COMMAND ...: atf_check at a server.
check_on()
{
	export RUMP_SERVER="$1"
	shift
	atf_check "$@"
	unset RUMP_SERVER
}

# plug URL INTERFACE BUS [ADDRESS ...]: a shmif interface on a bus, with addresses of either family, up. The first address brings it up,
# and is not probed. As few calls as there can be: each is a start of Node.
plug()
{
	_at=$1
	_interface=$2
	_words="linkstr $3"
	shift 3
	check_on "$_at" rump.ifconfig "$_interface" create
	for _address in "$@"; do
		case $_address in
		*:*) ;;
		*) _words="$_words $_address" ;;
		esac
	done
	[ $# -gt 0 ] || _words="$_words up"
	# shellcheck disable=SC2086
	check_on "$_at" rump.ifconfig "$_interface" $_words
	for _address in "$@"; do
		case $_address in
		*:*) check_on "$_at" rump.ifconfig "$_interface" inet6 "$_address" ;;
		esac
	done
}

# set_sysctl URL NAME=VALUE ...
set_sysctl()
{
	_at=$1
	shift
	check_on "$_at" rump.sysctl -w -q "$@"
}

# without_dad URL: addresses of a server of serve6 can be used at once. Those that an interface gets before it is up can in any case.
without_dad()
{
	set_sysctl "$1" net.inet.ip.dad_count=0 net.inet6.ip6.dad_count=0
}

# wait_until COMMAND ...: run a command again and again until it succeeds; the case fails after a minute.
wait_until()
{
	_end=$(($(date +%s) + 60))
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $_end ] || atf_fail "waited for: $*"
		sleep 0.1
	done
}

# settled URL: wait until no address of the server is tentative.
settled()
{
	wait_until _settled "$1"
}

_settled()
{
	! on "$1" rump.ifconfig -a | grep -iq tentative
}

# mac_of URL INTERFACE
mac_of()
{
	on "$1" rump.ifconfig "$2" | sed -n 's/^[[:space:]]*address: \([0-9a-f:]*\).*/\1/p'
}

# link_local_of URL INTERFACE: without the zone.
link_local_of()
{
	on "$1" rump.ifconfig "$2" inet6 | sed -n 's/^[[:space:]]*inet6 \(fe80:[0-9a-f:]*\).*/\1/p' | head -n 1
}

# dump_bus BUS: the frames that the bus still holds, by tcpdump.
dump_bus()
{
	shmif_dumpbus -p - "$1" 2>/dev/null | tcpdump -n -e -r - 2>/dev/null
}

# new_frames BUS: those that came since the call before.
new_frames()
{
	_seen=.seen-${1##*/}
	touch "$_seen"
	dump_bus "$1" >"$_seen.now"
	diff "$_seen" "$_seen.now" | sed -n 's/^> //p'
	mv "$_seen.now" "$_seen"
}

# pings URL HOST, pings6 URL HOST: one answer is enough. silent, silent6: none comes within a second.
pings()
{
	check_on "$1" -s exit:0 -o match:" 0.0% packet loss" rump.ping -n -q -o -w 10 "$2"
}

pings6()
{
	check_on "$1" -s exit:0 -o match:" 0.0% packet loss" rump.ping6 -n -q -c 1 -X 10 "$2"
}

silent()
{
	check_on "$1" -s exit:2 -o match:"100.0% packet loss" -e ignore rump.ping -n -q -c 1 -w 1 "$2"
}

silent6()
{
	check_on "$1" -s exit:2 -o match:"100.0% packet loss" -e ignore rump.ping6 -n -q -c 1 -X 1 "$2"
}

# told URL TITLE NAMES ADDRESSES COMMAND ...: route(8) hears of such a message while a command runs at a server, or afterwards.
told()
{
	_at=$1
	_title=$2
	_names=$3
	_addresses=$4
	shift 4
	: >heard
	RUMP_SERVER=$_at rump.route -n monitor >>heard &
	_monitor=$!
	wait_until _listens "$_at"
	on "$_at" "$@" >/dev/null 2>&1
	wait_until grep -Eq "^$_title\$" heard
	kill $_monitor || true
	wait $_monitor || true
	atf_check -o match:"^$_title\$" -o match:"^sockaddrs: <$_names>\$" -o match:"^ $_addresses\$" cat heard
}

# A route of no use is put in and taken out until the monitor has heard of it.
_listens()
{
	on "$1" rump.route -q add -host 192.0.2.254 127.0.0.1
	on "$1" rump.route -q delete -host 192.0.2.254
	grep -q 192.0.2.254 heard
}

# daemon INPUT OUTPUT COMMAND ...: run a command behind the case, to be ended by clean_up; it reads one file, and writes the other.
daemon()
{
	_input=$1
	_output=$2
	shift 2
	"$@" >"$_output" 2>&1 <"$_input" &
	echo $! >>$DAEMONS_FILE
}

# daemon_on URL INPUT OUTPUT COMMAND ...
daemon_on()
{
	export RUMP_SERVER="$1"
	shift
	daemon "$@"
	unset RUMP_SERVER
}

# clean_up: end daemons and servers; shows the servers' state first, for the record of a failed case.
clean_up()
{
	[ ! -f $DAEMONS_FILE ] || while read -r _pid; do
		kill "$_pid" 2>/dev/null || true
	done <$DAEMONS_FILE
	[ ! -f $SERVERS_FILE ] || for _url in $(sort -u $SERVERS_FILE); do
		if [ -n "$MK_ATF_STATE" ]; then
			echo "state of $_url:"
			on "$_url" rump.ifconfig -a
			on "$_url" rump.netstat -rn
			on "$_url" rump.arp -an
		fi
		on "$_url" rump.halt 2>/dev/null || true
	done
	return 0
}
