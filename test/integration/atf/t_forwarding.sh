#!/usr/bin/env atf-sh
# A router between two hosts: IPv4 and IPv6.

. "$(atf_get_srcdir)/common.sh"

LEFT=unix://left
ROUTER=unix://router
RIGHT=unix://right

# routed4: 10.0.1.2 on bus1, 10.0.2.2 on bus2, and a router that is 10.0.1.1 and 10.0.2.1.
routed4()
{
	serve $LEFT
	serve $RIGHT
	serve $ROUTER
	plug $LEFT shmif0 bus1 10.0.1.2/24
	plug $RIGHT shmif0 bus2 10.0.2.2/24
	plug $ROUTER shmif0 bus1 10.0.1.1/24
	plug $ROUTER shmif1 bus2 10.0.2.1/24
	check_on $LEFT -o inline:"add net default: gateway 10.0.1.1\n" rump.route add default 10.0.1.1
	check_on $RIGHT -o ignore rump.route add default 10.0.2.1
}

# routed6: as routed4, with fd01::2, fd02::2, fd01::1 and fd02::1.
routed6()
{
	serve6 $LEFT
	serve6 $RIGHT
	serve6 $ROUTER
	without_dad $LEFT
	without_dad $RIGHT
	without_dad $ROUTER
	plug $LEFT shmif0 bus1 fd01::2/64
	plug $RIGHT shmif0 bus2 fd02::2/64
	plug $ROUTER shmif0 bus1 fd01::1/64
	plug $ROUTER shmif1 bus2 fd02::1/64
	check_on $LEFT -o inline:"add net default: gateway fd01::1\n" rump.route add -inet6 default fd01::1
	check_on $RIGHT -o ignore rump.route add -inet6 default fd02::1
}

atf_test_case inet cleanup
inet_head()
{
	atf_set descr "IPv4 is forwarded when the router is told to, TTL goes down, and errors tell why not"
}
inet_body()
{
	routed4
	pings $LEFT 10.0.1.1
	check_on $ROUTER -o inline:"net.inet.ip.forwarding = 1\n" -x "rump.sysctl -w -q net.inet.ip.forwarding=1; rump.sysctl net.inet.ip.forwarding"
	pings $LEFT 10.0.2.2
	pings $RIGHT 10.0.1.2
	check_on $LEFT -o match:"64 bytes from 10.0.2.2: icmp_seq=[0-9] ttl=63" \
	    rump.ping -n -o -w 10 10.0.2.2
	check_on $LEFT -o match:" 0.0% packet loss" rump.ping -n -o -w 10 -T 1 10.0.1.1
	check_on $LEFT -s exit:2 -o match:"Time To Live exceeded" -o match:"100.0% packet loss" \
	    rump.ping -v -n -c 1 -w 2 -T 1 10.0.2.2
	check_on $LEFT -o match:" 0.0% packet loss" rump.ping -n -o -w 10 -T 2 10.0.2.2
	check_on $LEFT -s exit:2 -o match:"Destination Net Unreachable" rump.ping -v -n -c 1 -w 2 10.0.3.2
	check_on $LEFT -s exit:2 -o match:"Destination Host Unreachable" rump.ping -v -n -c 1 -w 20 10.0.2.9
	check_on $ROUTER -o inline:"net.inet.ip.forwarding: 1 -> 0\n" rump.sysctl -w net.inet.ip.forwarding=0
	silent $LEFT 10.0.2.2
	# The address of the other side is the router's own.
	pings $LEFT 10.0.2.1
	check_on $LEFT -o ignore rump.route delete default 10.0.1.1
	check_on $LEFT -s exit:2 -o match:"100.0% packet loss" -e match:"No route to host|Network is unreachable" \
	    rump.ping -n -c 1 -w 1 10.0.2.2
}
inet_cleanup()
{
	clean_up
}

atf_test_case inet6 cleanup
inet6_head()
{
	atf_set descr "IPv6 is forwarded when the router is told to, the hop limit goes down, and errors tell why not"
}
inet6_body()
{
	routed6
	pings6 $LEFT fd01::1
	silent6 $LEFT fd02::2
	set_sysctl $ROUTER net.inet6.ip6.forwarding=1
	pings6 $LEFT fd02::2
	pings6 $RIGHT fd01::2
	check_on $LEFT -o match:"16 bytes from fd02::2, icmp_seq=0 hlim=63" rump.ping6 -n -c 1 -X 10 fd02::2
	check_on $LEFT -o ignore rump.ping6 -n -c 1 -X 10 -h 1 fd01::1
	check_on $LEFT -s not-exit:0 -o match:"fd01::1" -o match:"Time to live exceeded" rump.ping6 -v -n -c 1 -X 2 -h 1 fd02::2
	check_on $LEFT -o ignore rump.ping6 -n -c 1 -X 10 -h 2 fd02::2
	check_on $LEFT -s not-exit:0 -o match:"No Route to Destination" rump.ping6 -v -n -c 1 -X 2 fd03::2
	check_on $LEFT -s not-exit:0 -o match:"Destination Host Unreachable" rump.ping6 -v -n -c 1 -X 20 fd02::9
	# Link-local addresses stay on their link.
	router=$(link_local_of $ROUTER shmif0)
	pings6 $LEFT "$router%shmif0"
	right=$(link_local_of $RIGHT shmif0)
	check_on $LEFT -s not-exit:0 -o match:"100.0% packet loss" -e ignore rump.ping6 -n -c 1 -X 1 "$right%shmif0"
}
inet6_cleanup()
{
	clean_up
}

atf_test_case mtu cleanup
mtu_head()
{
	atf_set descr "a router fragments IPv4 for a narrow link, and tells senders of IPv6 of its MTU"
}
mtu_body()
{
	routed6
	set_sysctl $ROUTER net.inet6.ip6.forwarding=1 net.inet.ip.forwarding=1
	check_on $ROUTER rump.ifconfig shmif0 10.0.1.1/24
	check_on $ROUTER rump.ifconfig shmif1 10.0.2.1/24 mtu 1300
	check_on $LEFT rump.ifconfig shmif0 10.0.1.2/24
	check_on $RIGHT rump.ifconfig shmif0 10.0.2.2/24 mtu 1300
	check_on $LEFT -o ignore rump.route add default 10.0.1.1
	check_on $RIGHT -o ignore rump.route add default 10.0.2.1
	check_on $LEFT -o match:"1408 bytes from 10.0.2.2" rump.ping -n -o -w 10 -s 1400 10.0.2.2
	atf_check -o match:"10.0.1.2 > 10.0.2.2: (ip-proto-1|icmp)" -x "shmif_dumpbus -p - bus2 2>/dev/null | tcpdump -n -v -r - 2>/dev/null | grep -A1 'offset 1280'"
	# The first one is too long; those behind it go in fragments.
	check_on $LEFT -o match:"1408 bytes from fd02::2" rump.ping6 -n -o -X 10 -s 1400 fd02::2
}
mtu_cleanup()
{
	clean_up
}

# transfer ADDRESS [OPTION]: a text goes from left to a listener at right, and another one back.
transfer()
{
	echo "to the right, $1" >to
	echo "to the left, $1" >from
	daemon_on $RIGHT from arrived rump.nc -v $2 -l 9000
	wait_until grep -q Listening arrived
	check_on $LEFT -o file:from -x "rump.nc $2 -w 3 $1 9000 <to"
	wait_until grep -q "$(cat to)" arrived
}

atf_test_case transports cleanup
transports_head()
{
	atf_set descr "TCP and UDP go through a router, both ways"
}
transports_body()
{
	routed6
	set_sysctl $ROUTER net.inet6.ip6.forwarding=1
	transfer fd02::2
	transfer fd02::2 -u
}
transports_cleanup()
{
	clean_up
}

atf_test_case broadcast cleanup
broadcast_head()
{
	atf_set descr "a directed broadcast passes a router that is told so, and is answered by hosts that are told so; so does TCP"
}
broadcast_body()
{
	routed4
	set_sysctl $ROUTER net.inet.ip.forwarding=1
	set_sysctl $RIGHT net.inet.icmp.bmcastecho=1
	silent $LEFT 10.0.2.255
	set_sysctl $ROUTER net.inet.ip.directed-broadcast=1
	check_on $LEFT -o match:"64 bytes from 10.0.2.2: icmp_seq=[0-9]" rump.ping -n -o -w 10 10.0.2.255
	set_sysctl $RIGHT net.inet.icmp.bmcastecho=0
	silent $LEFT 10.0.2.255
	transfer 10.0.2.2
}
broadcast_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	for name in inet inet6 mtu transports broadcast; do
		atf_add_test_case $name
	done
}
