#!/usr/bin/env atf-sh
# Router advertisements between a router and a host: what ndp(8) shows of them and forgets.

. "$(atf_get_srcdir)/common.sh"

ROUTER=unix://router
HOST=unix://host

# The host heeds a router that advertises fc00:1::/64 and an MTU of 1300.
advertised()
{
	serve6 $ROUTER
	serve6 $HOST
	without_dad $ROUTER
	without_dad $HOST
	plug $ROUTER shmif0 bus1 fc00:1::1/64
	plug $HOST shmif0 bus1 fc00:2::2/64
	set_sysctl $ROUTER net.inet6.ip6.forwarding=1 net.inet6.ip6.rtadv_linkmtu=1300 \
	    net.inet6.ip6.rtadv_maxinterval=4 net.inet6.ip6.rtadv=1
	set_sysctl $HOST net.inet6.ip6.accept_rtadv=1
	wait_until _has_router $HOST
	router=$(link_local_of $ROUTER shmif0)%shmif0
}

_has_router()
{
	on "$1" rump.ndp -r | grep -q if=shmif0
}

atf_test_case lists cleanup
lists_head()
{
	atf_set descr "a host has the router, its prefix and its MTU, and an address of the prefix"
}
lists_body()
{
	advertised
	check_on $HOST -o match:"^$router if=shmif0, flags=, pref=medium, expire=[0-9ms]+\$" rump.ndp -n -r
	check_on $HOST -o match:"^fc00:1::/64 if=shmif0\$" -o match:"^flags=LAO vltime=2592000, pltime=604800, expire=[0-9dhms]+, ref=1\$" \
	    -o match:"^  advertised by\$" -o match:"^    $router \(reachable\)\$" rump.ndp -n -p
	check_on $HOST -o match:"^linkmtu=1300, maxmtu=1500, curhlim=64, " -o match:"^Flags: nud accept_rtadv " rump.ndp -n -i shmif0
	check_on $HOST -o match:"^$router +$(mac_of $ROUTER shmif0) +shmif0 (23h59m|1d0h0m)[0-9]+s +[SDPR] R\$" rump.ndp -n -a
	check_on $HOST -o match:"inet6 fc00:1::[0-9a-f:]+/64 flags 0x[0-9a-f]+<AUTOCONF>" rump.ifconfig shmif0 inet6
	# The router lists nobody.
	check_on $ROUTER -o empty rump.ndp -r
	check_on $ROUTER -o empty rump.ndp -p
	check_on $ROUTER -o match:"^linkmtu=0, maxmtu=1500, " rump.ndp -i shmif0
}
lists_cleanup()
{
	clean_up
}

atf_test_case flushes cleanup
flushes_head()
{
	atf_set descr "routers are forgotten by -R, prefixes and their addresses by -P"
}
flushes_body()
{
	advertised
	# No further advertisement comes.
	check_on $ROUTER rump.ifconfig shmif0 down
	check_on $HOST rump.ndp -R
	check_on $HOST -o empty rump.ndp -r
	check_on $HOST -o match:"^  No advertising router\$" rump.ndp -p
	check_on $HOST -o match:"inet6 fc00:1:" rump.ifconfig shmif0 inet6
	check_on $HOST rump.ndp -P
	check_on $HOST -o empty rump.ndp -p
	check_on $HOST -o not-match:"fc00:1:" -o match:"inet6 fc00:2::2/64" rump.ifconfig shmif0 inet6
	check_on $HOST -o match:"^linkmtu=1300, " rump.ndp -i shmif0
}
flushes_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case lists
	atf_add_test_case flushes
}
