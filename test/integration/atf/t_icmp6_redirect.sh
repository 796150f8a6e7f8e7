#!/usr/bin/env atf-sh
# ICMPv6 redirects: a host whose packets for fc00:9::/64 go to a router on its own link, by way of another router there.

. "$(atf_get_srcdir)/common.sh"

HOST=unix://host
NEAR=unix://near
FAR=unix://far

# HOST has a route by NEAR, which has one by FAR, which has fc00:9::1.
linked()
{
	for server in $HOST $NEAR $FAR; do
		serve6 $server
		check_on $server rump.sysctl -w -q net.inet6.ip6.dad_count=0
	done
	plug $HOST shmif0 bus1 fc00:1::1/64
	plug $NEAR shmif0 bus1 fc00:1::2/64
	plug $FAR shmif0 bus1 fc00:1::3/64
	plug $FAR shmif1 bus2 fc00:9::1/64
	near=$(link_local_of $NEAR shmif0)
	far=$(link_local_of $FAR shmif0)
	check_on $NEAR rump.sysctl -w -q net.inet6.ip6.forwarding=1
	check_on $NEAR -o ignore rump.route add -inet6 -net fc00:9::/64 "$far%shmif0"
	check_on $HOST -o ignore rump.route add -inet6 -net fc00:9::/64 "$near%shmif0"
}

_has_route()
{
	on $HOST rump.netstat -rn -f inet6 | grep -Eq "$1"
}

_no_route()
{
	! _has_route "$1"
}

atf_test_case timeout cleanup
timeout_head()
{
	atf_set descr "a redirect makes a host route with the flags UGHD, which goes after net.inet6.icmp6.redirtimeout seconds"
}
timeout_body()
{
	linked
	check_on $HOST -o inline:"net.inet6.icmp6.redirtimeout: 600 -> 20\n" rump.sysctl -w net.inet6.icmp6.redirtimeout=20
	pings6 $HOST fc00:9::1
	wait_until _has_route "^fc00:9::1 +$far%shmif0 +UGHD +- +- +[0-9-]+ +shmif0\$"
	wait_until _no_route "^fc00:9::1 "
	check_on $HOST -o match:"^fc00:9::/64 +$near%shmif0 +UGS " rump.netstat -rn -f inet6
}
timeout_cleanup()
{
	clean_up
}

atf_test_case refused cleanup
refused_head()
{
	atf_set descr "a redirect is believed from the present first hop only, and with net.inet6.icmp6.rediraccept 1"
	atf_set require.progs tcpdump
}
_redirects()
{
	[ "$(dump_bus bus1 | grep -c "$near > fc00:1::1: ICMP6, redirect, fc00:9::1 to $far")" -ge "$1" ]
}
refused_body()
{
	linked
	check_on $HOST rump.sysctl -w -q net.inet6.icmp6.rediraccept=0
	pings6 $HOST fc00:9::1
	wait_until _redirects 1
	check_on $HOST -o not-match:"^fc00:9::1 " rump.netstat -rn -f inet6
	check_on $HOST rump.sysctl -w -q net.inet6.icmp6.rediraccept=1
	# The router is known by another address than that which redirects come from.
	check_on $HOST -o ignore rump.route delete -inet6 -net fc00:9::/64 "$near%shmif0"
	check_on $HOST -o ignore rump.route add -inet6 -net fc00:9::/64 fc00:1::2
	pings6 $HOST fc00:9::1
	wait_until _redirects 2
	check_on $HOST -o not-match:"^fc00:9::1 " rump.netstat -rn -f inet6
}
refused_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case timeout
	atf_add_test_case refused
}
