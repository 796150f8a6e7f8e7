#!/usr/bin/env atf-sh
# ARP between two servers on a bus: the cache and arp(8), announcements, proxies, routing messages.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two
IP1=10.0.1.1
IP2=10.0.1.2
ABSENT=10.0.1.9
MAC10=b2:a0:20:00:00:10
MAC11=b2:a0:20:00:00:11

pair()
{
	serve $ONE "$@"
	serve $TWO "$@"
	plug $ONE shmif0 bus1 $IP1/24
	plug $TWO shmif0 bus1 $IP2/24
}

# known URL HOST TEXT: the entry of a host has the text; unknown URL HOST: there is none.
known()
{
	check_on "$1" -o match:"$3" rump.arp -n "$2"
}

unknown()
{
	check_on "$1" -s exit:1 -e match:"^arp: $2 \($2\) -- no entry\$" rump.arp -n "$2"
}

_unknown()
{
	! on "$1" rump.arp -n "$2"
}

# route_flags URL HOST FLAGS: the row of a neighbor in netstat(1).
route_flags()
{
	check_on "$1" -o match:"^$2 +[^ ]+ +$3 +- +- +- +shmif0\$" rump.netstat -rn -f inet
}

# saw BUS TEXT: frames with the text came since the call before; they are kept in frames.
_saw()
{
	new_frames "$1" >>frames
	grep -q "$2" frames
}

saw()
{
	wait_until _saw "$1" "$2"
}

claim_of()
{
	echo "$2 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Request who-has $1 tell $1, length 28"
}

atf_test_case expiry cleanup
expiry_head()
{
	atf_set descr "an entry is there after a ping, and goes net.inet.arp.keep seconds after it was heard"
	atf_set require.progs tcpdump
}
expiry_body()
{
	pair
	check_on $ONE -o inline:"net.inet.arp.keep: 1200 -> 3\nnet.inet.arp.debug: 0 -> 1\n" \
	    rump.sysctl -w net.inet.arp.keep=3 net.inet.arp.debug=1
	pings $ONE $IP2
	check_on $ONE -o not-match:permanent rump.arp -n -a
	# The other has learned from the request.
	known $TWO $IP1 "^\? \($IP1\) at $(mac_of $ONE shmif0) on shmif0\$"
	unknown $ONE $IP1
	wait_until _unknown $ONE $IP2
	check_on $ONE rump.arp -an
	known $TWO $IP1 shmif0
}
expiry_cleanup()
{
	clean_up
}

atf_test_case command cleanup
command_head()
{
	atf_set descr "entries are set, also from a file, shown, overwritten unless permanent, and deleted"
}
command_body()
{
	pair
	check_on $ONE rump.arp -s 10.0.1.10 $MAC10
	known $ONE 10.0.1.10 "^\? \(10.0.1.10\) at $MAC10 on shmif0 permanent\$"
	route_flags $ONE 10.0.1.10 UHLS
	check_on $ONE -s exit:1 -e match:"File exists" rump.arp -s 10.0.1.10 $MAC11
	known $ONE 10.0.1.10 $MAC10
	check_on $ONE rump.arp -d 10.0.1.10
	unknown $ONE 10.0.1.10
	check_on $ONE -o not-match:"^10\.0\.1\.10" rump.netstat -rn -f inet

	printf '10.0.1.11 b2:a0:20:00:00:11\n# two\n10.0.1.12 b2:a0:20:00:00:12 temp\n' >list
	check_on $ONE rump.arp -f list
	known $ONE 10.0.1.11 "permanent\$"
	known $ONE 10.0.1.12 "on shmif0\$"
	route_flags $ONE 10.0.1.12 UHL

	# What was learned, or set for a time, gives way.
	pings $ONE $IP2
	check_on $ONE rump.arp -s $IP2 $MAC10
	check_on $ONE rump.arp -s 10.0.1.12 $MAC11
	known $ONE $IP2 "$MAC10 .*permanent"
	known $ONE 10.0.1.12 "$MAC11 .*permanent"
	silent $ONE $IP2

	check_on $ONE rump.arp -d -a
	check_on $ONE rump.arp -n -a
	pings $ONE $IP2
	check_on $ONE -s exit:1 -e match:"^arp: set: can only proxy for $IP1\$" rump.arp -s $IP1 $MAC10
	check_on $ONE -s exit:1 -e match:"^arp: cannot intuit interface index and type for 10.9.9.9\$" rump.arp -s 10.9.9.9 $MAC10
	check_on $ONE -s exit:1 -e match:"^usage: rump.arp " rump.arp -d
}
command_cleanup()
{
	clean_up
}

atf_test_case announcements cleanup
announcements_head()
{
	atf_set descr "addresses are announced: given to an interface that is down, or unprobed, or when its link-layer address changes"
	atf_set require.progs tcpdump
}
announcements_body()
{
	serve $ONE
	check_on $ONE -o inline:"net.inet.ip.dad_count = 3\n" rump.sysctl net.inet.ip.dad_count
	plug $ONE shmif0 bus1 $IP1/24
	mac=$(mac_of $ONE shmif0)
	saw bus1 "$(claim_of $IP1 "$mac")"
	check_on $ONE rump.ifconfig shmif0 down
	check_on $ONE rump.ifconfig shmif0 inet 10.0.1.7/24 alias
	saw bus1 "$(claim_of 10.0.1.7 "$mac")"
	check_on $ONE rump.sysctl -w -q net.inet.ip.dad_count=0
	check_on $ONE rump.ifconfig shmif0 inet 10.0.1.8/24 alias
	saw bus1 "$(claim_of 10.0.1.8 "$mac")"
	atf_check -s exit:1 grep -E "who-has 10.0.1.[78] tell 0.0.0.0" frames

	check_on $ONE rump.ifconfig shmif0 link b2:a1:00:00:00:01
	check_on $ONE rump.ifconfig shmif0 link b2:a1:00:00:00:02 active
	saw bus1 "$(claim_of $IP1 b2:a1:00:00:00:02)"
	atf_check -s exit:1 grep b2:a1:00:00:00:01 frames
}
announcements_cleanup()
{
	clean_up
}

atf_test_case moved cleanup
moved_head()
{
	atf_set descr "a neighbor is reached at its new link-layer address, unless its entry is permanent"
}
moved_body()
{
	pair
	pings $ONE $IP2
	check_on $TWO rump.ifconfig shmif0 link b2:a1:00:00:00:02 active
	wait_until _known_at b2:a1:00:00:00:02
	pings $ONE $IP2
	check_on $ONE rump.arp -s $IP2 b2:a1:00:00:00:02
	check_on $TWO rump.ifconfig shmif0 link b2:a1:00:00:00:03 active
	silent $ONE $IP2
	known $ONE $IP2 b2:a1:00:00:00:02
}
moved_cleanup()
{
	clean_up
}

_known_at()
{
	on $ONE rump.arp -n $IP2 | grep -q "$1"
}

# proxied WORDS TEXT: TWO answers for an address of its other interface, once it is published there by these words.
proxied()
{
	pair vether
	check_on $TWO rump.ifconfig vether0 create
	check_on $TWO rump.ifconfig vether0 inet 10.0.1.3/24
	silent $ONE 10.0.1.3
	check_on $ONE rump.arp -d -a
	# shellcheck disable=SC2086
	check_on $TWO rump.arp -s 10.0.1.3 "$(mac_of $TWO shmif0)" $1
	known $TWO 10.0.1.3 "$2\$"
	pings $ONE 10.0.1.3
	known $ONE 10.0.1.3 "$(mac_of $TWO shmif0)"
	check_on $TWO rump.arp -d 10.0.1.3
	check_on $ONE rump.arp -d 10.0.1.3
	silent $ONE 10.0.1.3
}

atf_test_case published cleanup
published_head()
{
	atf_set descr "arp -s ... pub: requests for the address are answered"
}
published_body()
{
	proxied "pub" "permanent published \(proxy only\)"
}
published_cleanup()
{
	clean_up
}

atf_test_case proxy_only cleanup
proxy_only_head()
{
	atf_set descr "arp -s ... pub proxy: requests for the address are answered, and it says so"
}
proxy_only_body()
{
	proxied "pub proxy" "permanent published \(proxy only\)"
}
proxy_only_cleanup()
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
	told $ONE "RTM_ADD.+<UP,HOST,DONE,LLINFO,CLONED>" DST,GATEWAY "$IP2 $(mac_of $TWO shmif0)" \
	    rump.ping -n -o -w 10 $IP2
	told $ONE "RTM_DELETE.+<HOST,DONE,LLINFO,CLONED>" DST,GATEWAY "$IP2 $(mac_of $TWO shmif0)" \
	    rump.arp -d $IP2
	told $ONE "RTM_MISS.+<DONE>" DST,GATEWAY,AUTHOR "$ABSENT link#2 $IP1" \
	    rump.ping -n -c 1 -w 10 $ABSENT
	told $ONE "RTM_MISS.+<DONE>" DST "10.9.9.9" \
	    rump.ping -n -c 1 -w 1 10.9.9.9
}
routing_messages_cleanup()
{
	clean_up
}

atf_test_case two_interfaces cleanup
two_interfaces_head()
{
	atf_set descr "of two interfaces on one subnet, each knows who asked it; arp -d deletes both entries"
}
two_interfaces_body()
{
	pair
	plug $ONE shmif1 bus1 10.0.1.5/24
	check_on $ONE -o match:" 0.0% packet loss" rump.ping -n -q -o -w 10 -I 10.0.1.5 $IP2
	check_on $ONE -o match:"on shmif0\$" -o match:"on shmif1\$" rump.arp -n $IP2
	check_on $ONE rump.arp -d $IP2
	unknown $ONE $IP2
}
two_interfaces_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case expiry
	atf_add_test_case command
	atf_add_test_case announcements
	atf_add_test_case moved
	atf_add_test_case published
	atf_add_test_case proxy_only
	atf_add_test_case routing_messages
	atf_add_test_case two_interfaces
}
