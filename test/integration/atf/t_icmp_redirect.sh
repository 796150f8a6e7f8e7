#!/usr/bin/env atf-sh
# ICMP redirects: a host whose packets for 10.9.0/24 go to a router on its own link, by way of another router there.

. "$(atf_get_srcdir)/common.sh"

HOST=unix://host
NEAR=unix://near
FAR=unix://far
FLAGS_D="^10\.9\.0\.1 +10\.0\.1\.3 +UGHD +- +- +[0-9-]+ +shmif0\$"

# HOST 10.0.1.1 has a route by NEAR 10.0.1.2, which has one by FAR 10.0.1.3, which has 10.9.0.1.
linked()
{
	for server in $HOST $NEAR $FAR; do
		serve $server
	done
	plug $HOST shmif0 bus1 10.0.1.1/24
	plug $NEAR shmif0 bus1 10.0.1.2/24
	plug $FAR shmif0 bus1 10.0.1.3/24
	plug $FAR shmif1 bus2 10.9.0.1/24
	check_on $NEAR rump.sysctl -w -q net.inet.ip.forwarding=1
	check_on $NEAR -o ignore rump.route add -net 10.9.0.0/24 10.0.1.3
	check_on $HOST -o ignore rump.route add -net 10.9.0.0/24 10.0.1.2
}

_has_route()
{
	on $HOST rump.netstat -rn -f inet | grep -Eq "$1"
}

_no_route()
{
	! _has_route "$1"
}

atf_test_case timeout cleanup
timeout_head()
{
	atf_set descr "a redirect makes a host route with the flags UGHD, which goes after net.inet.icmp.redirtimeout seconds"
}
timeout_body()
{
	linked
	check_on $HOST -o inline:"net.inet.icmp.redirtimeout: 600 -> 20\n" rump.sysctl -w net.inet.icmp.redirtimeout=20
	check_on $HOST -o not-match:"^10\.9\.0\.1 " rump.netstat -rn -f inet
	pings $HOST 10.9.0.1
	wait_until _has_route "$FLAGS_D"
	wait_until _no_route "^10\.9\.0\.1 "
	# The route of the network stands.
	check_on $HOST -o match:"^10\.9\.0/24 +10\.0\.1\.2 +UGS " rump.netstat -rn -f inet
}
timeout_cleanup()
{
	clean_up
}

atf_test_case switches cleanup
switches_head()
{
	atf_set descr "none is sent with net.inet.ip.redirect 0, and none heeded with net.inet.icmp.rediraccept 0, or by a router with redirrouter 0"
	atf_set require.progs tcpdump
}
_redirects()
{
	[ "$(dump_bus bus1 | grep -c "10.0.1.2 > 10.0.1.1: ICMP redirect 10.9.0.1 to host 10.0.1.3")" -ge "$1" ]
}
switches_body()
{
	linked
	check_on $NEAR rump.sysctl -w -q net.inet.ip.redirect=0
	pings $HOST 10.9.0.1
	check_on $NEAR rump.sysctl -w -q net.inet.ip.redirect=1
	check_on $HOST rump.sysctl -w -q net.inet.icmp.rediraccept=0
	pings $HOST 10.9.0.1
	wait_until _redirects 1
	check_on $HOST -o not-match:"^10\.9\.0\.1 " rump.netstat -rn -f inet
	check_on $HOST rump.sysctl -w -q net.inet.icmp.rediraccept=1
	check_on $HOST rump.sysctl -w -q net.inet.ip.forwarding=1 net.inet.icmp.redirrouter=0
	pings $HOST 10.9.0.1
	wait_until _redirects 2
	check_on $HOST -o not-match:"^10\.9\.0\.1 " rump.netstat -rn -f inet
	check_on $HOST rump.sysctl -w -q net.inet.ip.forwarding=0
	pings $HOST 10.9.0.1
	wait_until _has_route "$FLAGS_D"
}
switches_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case timeout
	atf_add_test_case switches
}
