#!/usr/bin/env atf-sh
# Flags of IPv6 routes as netstat shows them, and what becomes of the packets.

. "$(atf_get_srcdir)/common.sh"

HOST=unix://host
PEER=unix://peer

# row DESTINATION GATEWAY FLAGS INTERFACE: expressions; netstat of the host has a row of these.
row()
{
	check_on $HOST -o match:"^$1 +$2 +$3 +- +- +.+ +$4\$" rump.netstat -rn -f inet6
}

host()
{
	serve6 $HOST
	without_dad $HOST
	plug $HOST shmif0 bus1 fc00:0:0:1::2/64
}

atf_test_case own cleanup
own_head()
{
	atf_set descr "own addresses, the subnet, and routes by hand: UHl, UC, UGS, UGHS"
}
own_body()
{
	host
	row ::1 lo0 UHl lo0
	row fc00:0:0:1::/64 link#2 UC shmif0
	row fc00:0:0:1::2 link#2 UHl lo0
	row "fe80::%shmif0/64" link#2 UC shmif0
	check_on $HOST rump.route -q add -inet6 default fc00:0:0:1::1
	row default fc00:0:0:1::1 UGS shmif0
	check_on $HOST -o inline:"add host fc00:0:0:3::1: gateway fc00:0:0:1::1\n" rump.route add -inet6 fc00:0:0:3::1 fc00:0:0:1::1
	row fc00:0:0:3::1 fc00:0:0:1::1 UGHS shmif0
	check_on $HOST -o inline:"add net fc00:0:0:2::/64: gateway fc00:0:0:1::1\n" \
	    rump.route add -inet6 -net fc00:0:0:2::/64 fc00:0:0:1::1
	row fc00:0:0:2::/64 fc00:0:0:1::1 UGS shmif0
}
own_cleanup()
{
	clean_up
}

atf_test_case connected cleanup
connected_head()
{
	atf_set descr "a route to a link by hand resolves neighbors there: UCS"
}
connected_body()
{
	host
	serve6 $PEER
	without_dad $PEER
	plug $PEER shmif0 bus1 fc00:0:0:3::1/64
	check_on $PEER rump.ifconfig shmif0 inet6 fc00:0:0:1::1/64
	check_on $HOST -o inline:"add net fc00:0:0:3::/64: gateway shmif0\n" \
	    rump.route add -inet6 -net fc00:0:0:3::/64 -connected -link -iface shmif0
	row fc00:0:0:3::/64 link#2 UCS shmif0
	pings6 $HOST fc00:0:0:3::1
}
connected_cleanup()
{
	clean_up
}

atf_test_case fates cleanup
fates_head()
{
	atf_set descr "blackholes are silent, reject routes refuse by what they lead through"
}
fates_body()
{
	host
	_far="-inet6 -net fc00:0:0:2::/64"
	check_on $HOST rump.route -q add $_far ::1 -blackhole
	row fc00:0:0:2::/64 ::1 UGBS lo0
	check_on $HOST -s exit:2 -o match:"100.0% packet loss" -e empty rump.ping6 -n -c 1 -X 1 fc00:0:0:2::2
	check_on $HOST rump.route -q delete $_far
	check_on $HOST rump.route -q add $_far fc00:0:0:1::1 -reject
	row fc00:0:0:2::/64 fc00:0:0:1::1 UGRS shmif0
	check_on $HOST -s not-exit:0 -o ignore -e match:"No route to host" rump.ping6 -n -c 1 -X 1 fc00:0:0:2::2
	check_on $HOST rump.route -q delete $_far
	check_on $HOST rump.route -q add $_far ::1 -reject
	row fc00:0:0:2::/64 ::1 UGRS lo0
	check_on $HOST -s not-exit:0 -o ignore -e match:"Network is unreachable" rump.ping6 -n -c 1 -X 1 fc00:0:0:2::2
	check_on $HOST rump.route -q add -inet6 -host fc00:0:0:2::3 ::1 -iface -reject
	row fc00:0:0:2::3 ::1 UHRS lo0
	check_on $HOST -s not-exit:0 -o ignore -e match:"No route to host" rump.ping6 -n -c 1 -X 1 fc00:0:0:2::3
	check_on $HOST rump.route -q add -inet6 default ::1 -reject
	check_on $HOST -o match:"^  interface: lo0$" -o match:"flags: 0x84b<UP,GATEWAY,REJECT,DONE,STATIC>" \
	    rump.route -n get -inet6 fc00:0:0:9::1
}
fates_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case own
	atf_add_test_case connected
	atf_add_test_case fates
}
