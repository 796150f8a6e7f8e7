#!/usr/bin/env atf-sh
# Duplicate address detection (RFC 4862 5.4) of servers on a bus, with net.inet6.ip6.dad_count as delivered.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two

# asks BUS HOST: how many solicitations for fc00::HOST came from nobody.
asks()
{
	dump_bus "$1" | grep -c "33:33:ff:00:00:0$2, ethertype IPv6 (0x86dd), length 78: :: > ff02::1:ff00:$2: ICMP6, neighbor solicitation, who has fc00::$2, length 24"
}

_is()
{
	on "$1" rump.ifconfig shmif0 inet6 | grep -q "$2"
}

atf_test_case probes cleanup
probes_head()
{
	atf_set descr "an address of an interface that is up is asked for by nobody; the one that brought it up is not"
	atf_set require.progs tcpdump
}
probes_body()
{
	serve6 $ONE
	plug $ONE shmif0 bus1 fc00::1/64
	check_on $ONE -o match:"inet6 fc00::1/64 flags 0x0\$" rump.ifconfig shmif0 inet6
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::2
	wait_until _is $ONE "inet6 fc00::2/64 flags 0x0$"
	check_on $ONE rump.ifconfig -w 60
	check_on $ONE -o not-match:TENTATIVE rump.ifconfig shmif0
	atf_check_equal 1 "$(asks bus1 2)"
	atf_check_equal 0 "$(asks bus1 1)"
}
probes_cleanup()
{
	clean_up
}

atf_test_case duplicate cleanup
duplicate_head()
{
	atf_set descr "an address that another server has is duplicated"
}
duplicate_body()
{
	serve6 $ONE
	serve6 $TWO
	plug $ONE shmif0 bus1 fc00::1/64
	plug $TWO shmif0 bus1 fc00::2/64
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::2
	wait_until _is $ONE "inet6 fc00::2/64 flags 0x4<DUPLICATED>"
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::3
	check_on $ONE rump.ifconfig -w 60
	check_on $ONE -o match:"inet6 fc00::3/64 flags 0x0\$" rump.ifconfig shmif0
}
duplicate_cleanup()
{
	clean_up
}

atf_test_case count cleanup
count_head()
{
	atf_set descr "as many solicitations are sent as net.inet6.ip6.dad_count says"
	atf_set require.progs tcpdump
}
count_body()
{
	serve6 $ONE
	plug $ONE shmif0 bus1 fc00::1/64
	check_on $ONE -o inline:"net.inet6.ip6.dad_count: 1 -> 4\n" rump.sysctl -w net.inet6.ip6.dad_count=4
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::2
	check_on $ONE rump.ifconfig -w 60
	atf_check_equal 4 "$(asks bus1 2)"
}
count_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case probes
	atf_add_test_case duplicate
	atf_add_test_case count
}
