#!/usr/bin/env atf-sh
# Interfaces, groups, statistics and devices as netstat shows them.

. "$(atf_get_srcdir)/common.sh"

HOST=unix://host

atf_test_case interfaces cleanup
interfaces_head()
{
	atf_set descr "netstat -i: links, networks, groups and counts of interfaces"
}
interfaces_body()
{
	serve6 $HOST
	plug $HOST shmif0 bus1 10.0.0.1/24 fc00::1/64
	# Names have five columns, addresses 17; the counts stand behind the last group of an address.
	check_on $HOST \
		-o match:'^Name  Mtu   Network       Address              Ipkts Ierrs    Opkts Oerrs Colls$' \
		-o match:'^shmif 1500  <Link>        b2:a0(:[0-9a-f]{2}){4} +[0-9]+ +0 +[0-9]+ +0 +0$' \
		-o match:'^shmif 1500  10.0.0/24     10.0.0.1          $' \
		-o match:'^                          224.0.0.1 +[0-9]+ +0 +[0-9]+ +0 +0$' \
		-o match:'^                          ff02::1%shmif0    $' \
		-o match:'^shmif 1500  fc00::/64     fc00::1 ' \
		rump.netstat -nai
	check_on $HOST -o match:'^Name .* Ibytes     Obytes$' -o not-match:'^lo0' rump.netstat -ib -I shmif0
	check_on $HOST -o inline:'no multicast routing compiled into this system\n' rump.netstat -g -f inet
	check_on $HOST -s exit:1 -e match:'frob: unknown or uninstrumented protocol' rump.netstat -p frob
	check_on $HOST -o match:'^Active BPF peers$' -o match:'^PID' rump.netstat -B
}
interfaces_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case interfaces
}
