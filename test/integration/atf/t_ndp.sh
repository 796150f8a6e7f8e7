#!/usr/bin/env atf-sh
# Neighbor discovery between two servers on a bus: the cache and ndp(8), advertisements, routing messages.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two
IP1=fc00::1
IP2=fc00::2
ABSENT=fc00::9
MAC10=b2:a0:20:00:00:10
MAC11=b2:a0:20:00:00:11

pair()
{
	serve6 $ONE
	serve6 $TWO
	check_on $ONE rump.sysctl -w -q net.inet6.ip6.dad_count=0
	check_on $TWO rump.sysctl -w -q net.inet6.ip6.dad_count=0
	plug $ONE shmif0 bus1 $IP1/64
	plug $TWO shmif0 bus1 $IP2/64
}

# known URL HOST TEXT: the entry of a host has the text; unknown URL HOST: there is none.
known()
{
	check_on "$1" -o match:"^$2 .*$3" rump.ndp -n "$2"
}

unknown()
{
	check_on "$1" -s exit:1 -o ignore -e match:"^ndp: $2 \($2\) -- no entry\$" rump.ndp -n "$2"
}

_known()
{
	on "$1" rump.ndp -n "$2" | grep -q "$3"
}

route_flags()
{
	check_on "$1" -o match:"^$2 +[^ ]+ +$3 +- +- +- +shmif0\$" rump.netstat -rn -f inet6
}

atf_test_case expiry cleanup
expiry_head()
{
	atf_set descr "a neighbor is reachable after a ping, then stale, and kept for a day"
}
expiry_body()
{
	pair
	check_on $ONE rump.sysctl -w -q net.inet6.icmp6.nd6_reachable=4000
	pings6 $ONE $IP2
	check_on $ONE -o match:"^Neighbor  +Linklayer Address +Netif Expire +S Fl" rump.ndp -n -a
	unknown $ONE $IP1
	known $ONE $IP2 "$(mac_of $TWO shmif0) +shmif0 [0-9dhms]+ +[RS]"
	wait_until _known $ONE $IP2 "shmif0 23h5[0-9]m[0-9]*s *S"
}
expiry_cleanup()
{
	clean_up
}

atf_test_case command cleanup
command_head()
{
	atf_set descr "entries are set, also from a file, shown, overwritten unless permanent, deleted and flushed"
}
command_body()
{
	pair
	check_on $ONE rump.ndp -s fc00::10 $MAC10
	known $ONE fc00::10 "$MAC10 +shmif0 permanent R"
	route_flags $ONE fc00::10 UHLS
	check_on $ONE -s exit:1 -e match:"File exists" rump.ndp -s fc00::10 $MAC11
	check_on $ONE -o inline:"fc00::10 (fc00::10) deleted\n" rump.ndp -d fc00::10
	unknown $ONE fc00::10

	check_on $ONE rump.ndp -s fc00::10 $MAC10 temp
	route_flags $ONE fc00::10 UHL
	check_on $ONE -o not-match:permanent rump.ndp -n fc00::10
	pings6 $ONE $IP2
	check_on $ONE rump.ndp -s $IP2 $MAC10
	check_on $ONE rump.ndp -s fc00::10 $MAC11
	known $ONE $IP2 "$MAC10 .*permanent"
	known $ONE fc00::10 "$MAC11 .*permanent"
	silent6 $ONE $IP2

	printf 'fc00::11 b2:a0:20:00:00:11\nfc00::12 b2:a0:20:00:00:12 temp\n' >list
	check_on $ONE rump.ndp -f list
	known $ONE fc00::11 permanent
	# A flush leaves what was set for good.
	check_on $ONE -o match:"^fc00::12 \(fc00::12\) deleted\$" -o not-match:fc00::11 rump.ndp -n -c
	known $ONE fc00::11 permanent
	unknown $ONE fc00::12
	check_on $ONE -s exit:1 -e match:"^usage: rump.ndp " rump.ndp
}
command_cleanup()
{
	clean_up
}

atf_test_case threshold cleanup
threshold_head()
{
	atf_set descr "of neighbors beyond net.inet6.ip6.neighborgcthresh the oldest go"
}
neighbors()
{
	on $ONE rump.ndp -n -a | grep -v -e Neighbor -e permanent | wc -l | tr -d ' '
}
threshold_body()
{
	pair
	check_on $ONE -o inline:"net.inet6.ip6.neighborgcthresh = 2048\n" rump.sysctl net.inet6.ip6.neighborgcthresh
	for n in 2 3 4 5; do
		[ $n = 2 ] || check_on $TWO rump.ifconfig shmif0 inet6 fc00::$n/64
		pings6 $ONE fc00::$n
	done
	# The other asked for us, too, by its link-local address or by one of those.
	[ "$(neighbors)" -ge 4 ] || atf_fail "fewer than 4 neighbors"
	check_on $ONE rump.sysctl -w -q net.inet6.ip6.neighborgcthresh=2
	for n in 6 7; do
		check_on $TWO rump.ifconfig shmif0 inet6 fc00::$n/64
		pings6 $ONE fc00::$n
	done
	atf_check_equal 2 "$(neighbors)"
	known $ONE fc00::7 shmif0
}
threshold_cleanup()
{
	clean_up
}

atf_test_case moved cleanup
moved_head()
{
	atf_set descr "a new link-layer address is advertised to all nodes from the addresses of the interface, and learned"
	atf_set require.progs tcpdump
}
_saw()
{
	new_frames bus1 >>frames
	grep -q "$1" frames
}
moved_body()
{
	pair
	pings6 $ONE $IP2
	local_address=$(link_local_of $TWO shmif0)
	check_on $TWO rump.ifconfig shmif0 link b2:a1:00:00:00:01
	check_on $TWO rump.ifconfig shmif0 link b2:a1:00:00:00:02 active
	wait_until _saw "b2:a1:00:00:00:02 > 33:33:00:00:00:01, ethertype IPv6 (0x86dd), length 86: $local_address > ff02::1: ICMP6, neighbor advertisement"
	wait_until _saw "b2:a1:00:00:00:02 > 33:33:00:00:00:01, ethertype IPv6 (0x86dd), length 86: $IP2 > ff02::1: ICMP6, neighbor advertisement"
	atf_check -s exit:1 grep "^[^ ]* b2:a1:00:00:00:01" frames
	wait_until _known $ONE $IP2 b2:a1:00:00:00:02
	pings6 $ONE $IP2
}
moved_cleanup()
{
	clean_up
}

atf_test_case proxied cleanup
proxied_head()
{
	atf_set descr "an entry with proxy is shown so, and solicitations for it are answered with its link-layer address until it goes"
}
proxied_body()
{
	pair
	check_on $ONE rump.ndp -s fc00::10 $MAC10 proxy
	known $ONE fc00::10 "$MAC10 +shmif0 permanent R p\$"
	silent6 $TWO fc00::10
	known $TWO fc00::10 "$MAC10 +shmif0 [0-9dhms]+ +[RSDP]"
	check_on $ONE -o ignore rump.ndp -d fc00::10
	check_on $TWO -o ignore rump.ndp -d fc00::10
	silent6 $TWO fc00::10
	check_on $TWO -s exit:0 -o match:"\(incomplete\)" rump.ndp -n -a
}
proxied_cleanup()
{
	clean_up
}

atf_test_case routing_messages cleanup
routing_messages_head()
{
	atf_set descr "route monitor tells of neighbors that answer, do not, and are deleted"
}
routing_messages_body()
{
	pair
	told $ONE "RTM_ADD.+<UP,HOST,DONE,LLINFO,CLONED>" DST,GATEWAY "$IP2 link#2" \
	    rump.ping6 -n -c 1 -X 10 $IP2
	told $ONE "RTM_DELETE.+<HOST,DONE,LLINFO,CLONED>" DST,GATEWAY "$IP2 $(mac_of $TWO shmif0)" \
	    rump.ndp -d $IP2
	told $ONE "RTM_MISS.+<DONE>" DST,GATEWAY,AUTHOR "$ABSENT link#2 $IP1" \
	    rump.ping6 -n -c 1 -X 1 $ABSENT
}
routing_messages_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case expiry
	atf_add_test_case command
	atf_add_test_case threshold
	atf_add_test_case moved
	atf_add_test_case proxied
	atf_add_test_case routing_messages
}
