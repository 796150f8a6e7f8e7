#!/usr/bin/env atf-sh
# gif(4) between two servers on one bus, each with a network of its own behind it.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two

# sited: both servers with addresses of both families on one bus, and without DAD.
sited()
{
	serve6 $ONE gif
	serve6 $TWO gif
	without_dad $ONE
	without_dad $TWO
	plug $ONE shmif0 bus 10.0.0.1/24 fd00::1/64
	plug $TWO shmif0 bus 10.0.0.2/24 fd00::2/64
}

# tunnel URL GIF SOURCE DESTINATION OWN PEER: an interface with a tunnel, and inner addresses.
tunnel()
{
	check_on "$1" rump.ifconfig "$2" create
	check_on "$1" rump.ifconfig "$2" tunnel "$3" "$4"
	inner "$1" "$2" "$5" "$6"
}

# inner URL GIF OWN PEER
inner()
{
	case $3 in
	*:*) check_on "$1" rump.ifconfig "$2" inet6 "$3/128" "$4" ;;
	*) check_on "$1" rump.ifconfig "$2" inet "$3/32" "$4" ;;
	esac
}

# pairs FAMILY SOURCE DESTINATION: both families inside of one.
pairs()
{
	sited
	tunnel $ONE gif0 "$2" "$3" 172.16.1.1 172.16.2.1
	tunnel $TWO gif0 "$3" "$2" 172.16.2.1 172.16.1.1
	inner $ONE gif0 fd16:1::1 fd16:2::1
	inner $TWO gif0 fd16:2::1 fd16:1::1
	check_on $ONE -o match:"^	tunnel $1 $2 --> $3$" -o match:"inet 172.16.1.1/32 -> 172.16.2.1" -o match:"inet6 fd16:1::1/128 -> fd16:2::1" \
	    -o match:"POINTOPOINT" rump.ifconfig gif0
	pings $ONE 172.16.2.1
	pings6 $TWO fd16:1::1
	new_frames bus >seen
	atf_check -o match:"$2 > $3: .*172.16.1.1 > 172.16.2.1: ICMP echo request" -o match:"fd16:2::1 > fd16:1::1: ICMP6, echo request" cat seen
	# Networks behind the ends, by a route whose gateway is the own end.
	check_on $TWO rump.ifconfig lo0 192.168.2.1/32
	check_on $ONE -o match:"^add net 192.168.2.0: gateway 172.16.1.1$" rump.route add -inet 192.168.2.0/24 172.16.1.1
	check_on $ONE -o match:"^192.168.2/24 +172.16.1.1 +UGS .*gif0$" rump.route -n show -inet
	pings $ONE 192.168.2.1
	check_on $ONE rump.ifconfig gif0 deletetunnel
	check_on $ONE -o not-match:tunnel -o not-match:RUNNING rump.ifconfig gif0
	check_on $ONE -s exit:2 -o match:"100.0% packet loss" -e ignore rump.ping -n -q -c 1 -w 1 172.16.2.1
	check_on $ONE rump.ifconfig gif0 tunnel "$2" "$3"
	pings $ONE 172.16.2.1
	check_on $ONE rump.ifconfig gif0 destroy
	check_on $ONE -o not-match:gif0 -o not-match:172.16 rump.route -n show
	pings $ONE 10.0.0.2
}

atf_test_case over_inet cleanup
over_inet_head()
{
	atf_set descr "IPv4 and IPv6 travel in IPv4, with the networks behind, until the tunnel is taken away"
	atf_set require.progs tcpdump
}
over_inet_body()
{
	pairs inet 10.0.0.1 10.0.0.2
}
over_inet_cleanup()
{
	clean_up
}

atf_test_case over_inet6 cleanup
over_inet6_head()
{
	atf_set descr "IPv4 and IPv6 travel in IPv6, with the networks behind, until the tunnel is taken away"
	atf_set require.progs tcpdump
}
over_inet6_body()
{
	pairs inet6 fd00::1 fd00::2
}
over_inet6_cleanup()
{
	clean_up
}

atf_test_case recursion cleanup
recursion_head()
{
	atf_set descr "a tunnel goes into none, neither another nor itself, and the server is there afterwards"
}
recursion_body()
{
	sited
	tunnel $ONE gif0 10.0.0.1 10.0.0.2 172.16.1.1 172.16.2.1
	tunnel $TWO gif0 10.0.0.2 10.0.0.1 172.16.2.1 172.16.1.1
	tunnel $ONE gif1 172.16.1.1 172.16.2.1 172.17.1.1 172.17.2.1
	tunnel $TWO gif1 172.16.2.1 172.16.1.1 172.17.2.1 172.17.1.1
	silent $ONE 172.17.2.1
	pings $ONE 172.16.2.1
	# The way to the other end leads through the tunnel.
	check_on $ONE -o ignore rump.route add -host 10.0.0.2 172.16.2.1
	silent $ONE 172.16.2.1
	check_on $ONE -o ignore rump.route delete -host 10.0.0.2 172.16.2.1
	pings $ONE 172.16.2.1
}
recursion_cleanup()
{
	clean_up
}

atf_test_case several cleanup
several_head()
{
	atf_set descr "two tunnels between two servers carry each its own, and end one by one; interfaces come and go in every state"
}
several_body()
{
	sited
	tunnel $ONE gif0 10.0.0.1 10.0.0.2 172.16.1.1 172.16.2.1
	tunnel $TWO gif0 10.0.0.2 10.0.0.1 172.16.2.1 172.16.1.1
	tunnel $ONE gif1 fd00::1 fd00::2 172.17.1.1 172.17.2.1
	tunnel $TWO gif1 fd00::2 fd00::1 172.17.2.1 172.17.1.1
	pings $ONE 172.16.2.1
	pings $TWO 172.17.1.1
	# One pair of ends is one tunnel's.
	check_on $ONE rump.ifconfig gif2 create
	check_on $ONE -e match:"SIOCSLIFPHYADDR: Can't assign requested address" rump.ifconfig gif2 tunnel 10.0.0.1 10.0.0.2
	check_on $ONE -e match:"SIOCSLIFPHYADDR: " rump.ifconfig gif2 tunnel 10.0.0.1 fd00::2
	check_on $ONE rump.ifconfig gif2 up
	check_on $ONE -o match:"UP,POINTOPOINT,MULTICAST" rump.ifconfig gif2
	check_on $ONE rump.ifconfig gif2 destroy
	check_on $ONE rump.ifconfig gif0 destroy
	pings $ONE 172.17.2.1
	check_on $ONE -s exit:2 -o match:"100.0% packet loss" -e ignore rump.ping -n -q -c 1 -w 1 172.16.2.1
	tunnel $ONE gif0 10.0.0.1 10.0.0.2 172.16.1.1 172.16.2.1
	pings $ONE 172.16.2.1
}
several_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	for name in over_inet over_inet6 recursion several; do
		atf_add_test_case $name
	done
}
