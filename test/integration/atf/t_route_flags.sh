#!/usr/bin/env atf-sh
# Flags of IPv4 routes as netstat shows them, and what becomes of the packets.

. "$(atf_get_srcdir)/common.sh"

HOST=unix://host
ROUTER=unix://router
FAR=unix://far

# row URL DESTINATION GATEWAY FLAGS INTERFACE: expressions; netstat has a row of these.
row()
{
	check_on "$1" -o match:"^$2 +$3 +$4 +- +- +.+ +$5\$" rump.netstat -rn -f inet
}

# host 10.0.0.2 on bus1; with `routed` a router 10.0.0.1 that is 10.0.2.1 on bus2, and 10.0.2.2 there.
host()
{
	serve $HOST
	plug $HOST shmif0 bus1 10.0.0.2/24
}

routed()
{
	host
	serve $ROUTER
	serve $FAR
	plug $ROUTER shmif0 bus1 10.0.0.1/24
	plug $ROUTER shmif1 bus2 10.0.2.1/24
	plug $FAR shmif0 bus2 10.0.2.2/24
	check_on $FAR rump.route -q add default 10.0.2.1
	settled $HOST
	settled $ROUTER
	settled $FAR
}

atf_test_case own cleanup
own_head()
{
	atf_set descr "own addresses, the subnet, and routes by hand: UHl, UC, UGS, UGHS"
}
own_body()
{
	host
	row $HOST 127.0.0.1 lo0 UHl lo0
	row $HOST 10.0.0/24 link#2 UC shmif0
	row $HOST 10.0.0.2 link#2 UHl lo0
	check_on $HOST rump.route -q add default 10.0.0.1
	row $HOST default 10.0.0.1 UGS shmif0
	check_on $HOST rump.route -q add 10.0.1.1 10.0.0.1
	row $HOST 10.0.1.1 10.0.0.1 UGHS shmif0
	check_on $HOST rump.route -q add -net 10.0.2.0/24 10.0.0.1 -proto1 -proto2
	row $HOST 10.0.2/24 10.0.0.1 UGS12 shmif0
	check_on $HOST rump.route -q add -net 10.0.3.0/24 10.0.0.1 -nostatic -proxy
	row $HOST 10.0.3/24 10.0.0.1 UGp shmif0
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
	serve $ROUTER
	plug $ROUTER shmif0 bus1 10.0.0.1/24
	check_on $ROUTER rump.ifconfig shmif0 10.0.1.1/24 alias
	settled $HOST
	settled $ROUTER
	check_on $HOST -o inline:"add net 10.0.1.0: gateway shmif0\n" rump.route add -net 10.0.1.0/24 -connected -link -iface shmif0
	row $HOST 10.0.1/24 link#2 UCS shmif0
	pings $HOST 10.0.1.1
	row $HOST 10.0.1.1 "$(mac_of $ROUTER shmif0)" UHL shmif0
}
connected_cleanup()
{
	clean_up
}

atf_test_case blackhole cleanup
blackhole_head()
{
	atf_set descr "packets of a blackhole vanish without a word: UGBS"
}
blackhole_body()
{
	routed
	check_on $ROUTER rump.sysctl -w -q net.inet.ip.forwarding=1
	check_on $HOST rump.route -q add default 10.0.0.1
	pings $HOST 10.0.2.2
	check_on $HOST -o inline:"add net 10.0.2.0: gateway 127.0.0.1\n" rump.route add -net 10.0.2.0/24 127.0.0.1 -blackhole
	row $HOST 10.0.2/24 127.0.0.1 UGBS lo0
	check_on $HOST -s exit:2 -o match:"100.0% packet loss" -e empty rump.ping -n -c 1 -w 1 10.0.2.2
	check_on $HOST -o not-match:"^10\.0\.2\.2 " rump.netstat -rn
	check_on $HOST rump.route -q delete -net 10.0.2.0/24
	pings $HOST 10.0.2.2
	# At the router nobody is told, either.
	check_on $ROUTER rump.route -q add -host 10.0.2.2 127.0.0.1 -blackhole
	row $ROUTER 10.0.2.2 127.0.0.1 UGHBS lo0
	check_on $HOST -s exit:2 -o match:"100.0% packet loss" -o not-match:"Unreachable" -e empty rump.ping -v -n -c 1 -w 1 10.0.2.2
}
blackhole_cleanup()
{
	clean_up
}

atf_test_case reject cleanup
reject_head()
{
	atf_set descr "packets of a reject route are refused, by what it leads through: UGRS, UHRS"
}
reject_body()
{
	host
	check_on $HOST rump.route -q add -net 10.0.2.0/24 10.0.0.1 -reject
	row $HOST 10.0.2/24 10.0.0.1 UGRS shmif0
	check_on $HOST -s exit:2 -o ignore -e match:"No route to host" rump.ping -n -c 1 -w 1 10.0.2.2
	check_on $HOST rump.route -q delete -net 10.0.2.0/24
	check_on $HOST rump.route -q add -net 10.0.2.0/24 127.0.0.1 -reject
	row $HOST 10.0.2/24 127.0.0.1 UGRS lo0
	check_on $HOST -s exit:2 -o ignore -e match:"Network is unreachable" rump.ping -n -c 1 -w 1 10.0.2.2
	check_on $HOST rump.route -q delete -net 10.0.2.0/24
	check_on $HOST rump.route -q add -host 10.0.2.2 127.0.0.1 -iface -reject
	row $HOST 10.0.2.2 127.0.0.1 UHRS lo0
	check_on $HOST -s exit:2 -o ignore -e match:"No route to host" rump.ping -n -c 1 -w 1 10.0.2.2
}
reject_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case own
	atf_add_test_case connected
	atf_add_test_case blackhole
	atf_add_test_case reject
}
