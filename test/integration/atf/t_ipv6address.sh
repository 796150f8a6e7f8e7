#!/usr/bin/env atf-sh
# IPv6 addresses: link-local ones by themselves and by hand, their zones, and the same address again.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
OTHER=unix://other

atf_test_case same cleanup
same_head()
{
	atf_set descr "the same address can be assigned, deleted, and assigned again"
}
same_body()
{
	serve6 $ONE
	without_dad $ONE
	plug $ONE shmif0 bus1 fc00::1/64
	for _round in 1 2; do
		check_on $ONE -o match:"^fc00::1 +link#2 +UHl +- +- +.+ +lo0$" \
		    -o match:"^fc00::/64 +link#2 +UC +- +- +.+ +shmif0$" rump.netstat -rn -f inet6
		check_on $ONE rump.ifconfig shmif0 inet6 fc00::1 delete
		check_on $ONE -o not-match:"^fc00::" rump.netstat -rn -f inet6
		check_on $ONE rump.ifconfig shmif0 inet6 fc00::1/64
	done
	# An address that is there stays as it is.
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::1/64
	check_on $ONE -o match:"inet6 fc00::1/64 flags 0x0" rump.ifconfig shmif0 inet6
}
same_cleanup()
{
	clean_up
}

atf_test_case automatic cleanup
automatic_head()
{
	atf_set descr "an interface that comes up gets a link-local address, unless auto_linklocal says no"
}
automatic_body()
{
	serve6 $ONE
	check_on $ONE rump.ifconfig shmif0 create
	check_on $ONE rump.ifconfig shmif0 linkstr bus1
	check_on $ONE -o not-match:"fe80::" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 up
	check_on $ONE -o match:"inet6 fe80::.*%shmif0/64 .*scopeid 0x2" rump.ifconfig shmif0
	set_sysctl $ONE net.inet6.ip6.auto_linklocal=0
	check_on $ONE rump.ifconfig shmif1 create
	check_on $ONE rump.ifconfig shmif1 linkstr bus2
	check_on $ONE rump.ifconfig shmif1 up
	check_on $ONE -o not-match:"fe80::" rump.ifconfig shmif1
	# By hand there is one.
	check_on $ONE rump.ifconfig shmif1 inet6 fe80::1234
	check_on $ONE -o match:"inet6 fe80::1234%shmif1/64" rump.ifconfig shmif1
	check_on $ONE rump.ifconfig shmif1 inet6 fe80::1234%shmif1 delete
	check_on $ONE -o not-match:"fe80::" rump.ifconfig shmif1
}
automatic_cleanup()
{
	clean_up
}

atf_test_case zones cleanup
zones_head()
{
	atf_set descr "link-local addresses are reached by their zone, and are gateways"
}
zones_body()
{
	serve6 $ONE
	serve6 $OTHER
	without_dad $ONE
	without_dad $OTHER
	plug $ONE shmif0 bus1 fc00:1::1/64
	plug $OTHER shmif0 bus1 fc00:2::1/64
	_other=$(link_local_of $OTHER shmif0)
	_one=$(link_local_of $ONE shmif0)
	pings6 $ONE "$_other%shmif0"
	check_on $ONE -s not-exit:0 -o ignore -e ignore rump.ping6 -n -c 1 -X 1 "$_other"
	check_on $ONE -o inline:"add net default: gateway $_other%shmif0\n" rump.route add -inet6 default "$_other%shmif0"
	check_on $OTHER -o ignore rump.route add -inet6 -net fc00:1::/64 "$_one%shmif0"
	pings6 $ONE fc00:2::1
	check_on $ONE -o match:"^default +$_other%shmif0 +UGS .* shmif0$" rump.netstat -rn -f inet6
	check_on $ONE -o match:"^    gateway: $_other%shmif0$" rump.route -n get -inet6 fc00:2::1
}
zones_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case same
	atf_add_test_case automatic
	atf_add_test_case zones
}
