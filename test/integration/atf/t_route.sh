#!/usr/bin/env atf-sh
# route: what it says, gateways of no subnet, and the way that the kernel would take.

. "$(atf_get_srcdir)/common.sh"

HOST=unix://host
GATEWAY=unix://gateway

METRICS=" recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire"

# way URL DESTINATION: the file `wanted` is what `route get` prints, but for the line of metrics.
way()
{
	check_on "$1" -o file:wanted -x "rump.route -n get $2 | sed '\$d'"
}

atf_test_case words cleanup
words_head()
{
	atf_set descr "add, change, delete, show and flush say what they did, or why not"
}
words_body()
{
	serve $HOST
	plug $HOST shmif0 bus1 10.0.0.1/24
	check_on $HOST -o inline:"add net 10.1.0.0: gateway 10.0.0.2\n" rump.route add -net 10.1.0.0/16 10.0.0.2
	check_on $HOST -s exit:1 -o inline:"add net 10.1.0.0: gateway 10.0.0.2: File exists\n" \
	    -e inline:"route: writing to routing socket: File exists\n" rump.route add -net 10.1.0.0/16 10.0.0.2
	check_on $HOST -o inline:"add host 10.2.0.1: gateway 10.0.0.2\n" rump.route add 10.2.0.1 10.0.0.2
	check_on $HOST rump.route -q add default 10.0.0.2
	check_on $HOST -o inline:"change net default: gateway 10.0.0.3\n" rump.route change default 10.0.0.3
	check_on $HOST -s exit:1 -o match:": Network is unreachable$" \
	    -e inline:"route: writing to routing socket: Network is unreachable\n" rump.route add 10.3.0.1 172.16.0.1
	check_on $HOST -s exit:1 -o inline:"delete host 10.4.0.1: not in table\n" \
	    -e inline:"route: writing to routing socket: not in table\n" rump.route delete 10.4.0.1
	check_on $HOST -o match:"^10\.1/16 +10\.0\.0\.2 +UGS " -o match:"^default +10\.0\.0\.3 +UGS " \
	    -o match:"^10\.2\.0\.1 +10\.0\.0\.2 +UGHS " rump.route -n show -inet
	check_on $HOST -o inline:"delete net 10.1.0.0\n" rump.route delete -net 10.1.0.0/16
	check_on $HOST -o match:"^default +10\.0\.0\.3 +done$" -o match:"^10\.2\.0\.1 +10\.0\.0\.2 +done$" rump.route -n flush
	check_on $HOST -o not-match:"UG" -o match:"^10\.0\.0/24 +link#2 +UC " rump.route -n show -inet
	check_on $HOST -s exit:1 -e match:"botched keyword: frob" rump.route frob
}
words_cleanup()
{
	clean_up
}

atf_test_case get cleanup
get_head()
{
	atf_set descr "route get prints the route to an own address, a neighbor and a far host"
}
get_body()
{
	serve $HOST
	plug $HOST shmif0 bus1 10.0.1.2/24
	check_on $HOST rump.route -q add default 10.0.1.1
	cat >wanted <<END
   route to: 10.0.1.2
destination: 10.0.1.2
 local addr: 10.0.1.2
  interface: lo0
      flags: 0x40045<UP,HOST,DONE,LOCAL>
$METRICS
END
	way $HOST 10.0.1.2
	cat >wanted <<END
   route to: 10.0.1.1
destination: 10.0.1.0
       mask: 255.255.255.0
 local addr: 10.0.1.2
  interface: shmif0
      flags: 0x141<UP,DONE,CONNECTED>
$METRICS
END
	way $HOST 10.0.1.1
	cat >wanted <<END
   route to: 10.0.2.2
destination: default
       mask: default
    gateway: 10.0.1.1
 local addr: 10.0.1.2
  interface: shmif0
      flags: 0x843<UP,GATEWAY,DONE,STATIC>
$METRICS
END
	way $HOST 10.0.2.2
	check_on $HOST rump.route -q delete default
	check_on $HOST -s exit:1 -e inline:"route: writing to routing socket: not in table\n" rump.route -n get 10.0.2.2
}
get_cleanup()
{
	clean_up
}

atf_test_case get6 cleanup
get6_head()
{
	atf_set descr "route get -inet6"
}
get6_body()
{
	serve6 $HOST
	without_dad $HOST
	plug $HOST shmif0 bus1 fc00:0:0:1::2/64
	check_on $HOST rump.route -q add -inet6 default fc00:0:0:1::1
	cat >wanted <<END
   route to: fc00:0:0:1::2
destination: fc00:0:0:1::2
 local addr: fc00:0:0:1::2
  interface: lo0
      flags: 0x40045<UP,HOST,DONE,LOCAL>
$METRICS
END
	way $HOST "-inet6 fc00:0:0:1::2"
	cat >wanted <<END
   route to: fc00:0:0:1::1
destination: fc00:0:0:1::
       mask: ffff:ffff:ffff:ffff::
 local addr: fc00:0:0:1::2
  interface: shmif0
      flags: 0x141<UP,DONE,CONNECTED>
$METRICS
END
	way $HOST "-inet6 fc00:0:0:1::1"
	cat >wanted <<END
   route to: fc00:0:0:2::2
destination: ::
       mask: default
    gateway: fc00:0:0:1::1
 local addr: fc00:0:0:1::2
  interface: shmif0
      flags: 0x843<UP,GATEWAY,DONE,STATIC>
$METRICS
END
	way $HOST "-inet6 fc00:0:0:2::2"
}
get6_cleanup()
{
	clean_up
}

atf_test_case far_gateway cleanup
far_gateway_head()
{
	atf_set descr "a gateway of no subnet is reached by a route to its place on the link"
}
far_gateway_body()
{
	serve $HOST
	serve $GATEWAY
	plug $GATEWAY shmif0 bus1 192.168.0.1/24
	plug $HOST shmif0 bus1 10.0.0.1/32
	check_on $GATEWAY -o inline:"add net 10.0.0.1: gateway shmif0\n" rump.route add -net 10.0.0.1/32 -link -cloning -iface shmif0
	check_on $HOST -s exit:2 -o match:"100.0% packet loss" -e match:"No route to host" \
	    rump.ping -n -c 1 -w 1 192.168.0.1
	check_on $HOST -o inline:"add net 192.168.0.1: gateway shmif0\n" \
	    rump.route add -net 192.168.0.1/32 -link -cloning -iface shmif0
	check_on $HOST -o inline:"add net default: gateway 192.168.0.1\n" rump.route add default -ifa 10.0.0.1 192.168.0.1
	settled $HOST
	settled $GATEWAY
	pings $HOST 192.168.0.1
	check_on $HOST -o match:"^default +192\.168\.0\.1 +UGS .* shmif0$" rump.netstat -rn -f inet
}
far_gateway_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case words
	atf_add_test_case get
	atf_add_test_case get6
	atf_add_test_case far_gateway
}
