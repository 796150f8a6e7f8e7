#!/usr/bin/env atf-sh
# Address conflict detection (RFC 5227) of servers on a bus, with net.inet.ip.dad_count as delivered.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two

# asks BUS ADDRESS SENDER: how many requests for an address came from that sender.
asks()
{
	dump_bus "$1" | grep -c "> ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Request who-has $2 tell $3, length 28"
}

_asked()
{
	[ "$(asks "$@")" -gt 0 ]
}

_is()
{
	on "$1" rump.ifconfig shmif0 | grep -q "$2"
}

atf_test_case probes cleanup
probes_head()
{
	atf_set descr "an address of an interface that is up is tentative, probed three times, then announced; the one that brought it up is not"
	atf_set require.progs tcpdump
}
probes_body()
{
	serve $ONE
	plug $ONE shmif0 bus1 10.0.1.1/24
	check_on $ONE -o match:"inet 10.0.1.1/24 broadcast 10.0.1.255 flags 0x0\$" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 inet 10.0.1.2/24 alias
	check_on $ONE -o match:"inet 10.0.1.2/24 broadcast 10.0.1.255 flags 0x1<TENTATIVE>\$" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig -w 60
	check_on $ONE -o match:"inet 10.0.1.2/24 broadcast 10.0.1.255 flags 0x0\$" rump.ifconfig shmif0
	wait_until _asked bus1 10.0.1.2 10.0.1.2
	atf_check_equal 3 "$(asks bus1 10.0.1.2 0.0.0.0)"
	atf_check_equal 0 "$(asks bus1 10.0.1.1 0.0.0.0)"
}
probes_cleanup()
{
	clean_up
}

atf_test_case duplicate cleanup
duplicate_head()
{
	atf_set descr "an address that another server has is duplicated, and is neither announced, answered for nor reached"
	atf_set require.progs tcpdump
}
duplicate_body()
{
	serve $ONE
	serve $TWO
	plug $ONE shmif0 bus1 10.0.1.1/24
	plug $TWO shmif0 bus1 10.0.1.2/24
	check_on $ONE rump.ifconfig shmif0 inet 10.0.1.2/24 alias
	wait_until _is $ONE "inet 10.0.1.2/24 .*<DUPLICATED>"
	# Nothing is tentative any more.
	check_on $ONE rump.ifconfig -w 1
	atf_check_equal 0 "$(dump_bus bus1 | grep "^[^ ]* $(mac_of $ONE shmif0)" | grep -c "tell 10.0.1.2")"
	check_on $ONE rump.ifconfig shmif0 inet 10.0.1.3/24 alias
	check_on $ONE rump.ifconfig -w 60
	check_on $ONE -o match:"inet 10.0.1.3/24 .* flags 0x0\$" rump.ifconfig shmif0
	silent $ONE 10.0.1.2
}
duplicate_cleanup()
{
	clean_up
}

atf_test_case count cleanup
count_head()
{
	atf_set descr "as many probes are sent as net.inet.ip.dad_count says"
	atf_set require.progs tcpdump
}
count_body()
{
	serve $ONE
	plug $ONE shmif0 bus1 10.0.1.1/24
	check_on $ONE -o inline:"net.inet.ip.dad_count: 3 -> 1\n" rump.sysctl -w net.inet.ip.dad_count=1
	check_on $ONE rump.ifconfig shmif0 inet 10.0.1.2/24 alias
	check_on $ONE rump.ifconfig -w 60
	atf_check_equal 1 "$(asks bus1 10.0.1.2 0.0.0.0)"
	check_on $ONE rump.sysctl -w -q net.inet.ip.dad_count=0
	check_on $ONE rump.ifconfig shmif0 inet 10.0.1.3/24 alias
	check_on $ONE -o match:"inet 10.0.1.3/24 .* flags 0x0\$" rump.ifconfig shmif0
	wait_until _asked bus1 10.0.1.3 10.0.1.3
	atf_check_equal 0 "$(asks bus1 10.0.1.3 0.0.0.0)"
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
