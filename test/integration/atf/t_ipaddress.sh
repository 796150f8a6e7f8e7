#!/usr/bin/env atf-sh
# An IPv4 address and its routes come, go and come again.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one

has_routes()
{
	check_on $ONE -o match:"^10\.0\.0\.1 +link#2 +UHl +- +- +.+ +lo0$" \
	    -o match:"^10\.0\.0/24 +link#2 +UC +- +- +.+ +shmif0$" rump.netstat -rn -f inet
}

atf_test_case same cleanup
same_head()
{
	atf_set descr "the same address can be assigned, deleted, and assigned again"
}
same_body()
{
	serve $ONE
	plug $ONE shmif0 bus1 10.0.0.1/24
	check_on $ONE rump.ifconfig -w 20
	has_routes
	check_on $ONE rump.ifconfig shmif0 10.0.0.1 delete
	check_on $ONE -o not-match:"^10\.0\.0" rump.netstat -rn -f inet
	check_on $ONE rump.ifconfig shmif0 10.0.0.1/24
	has_routes
	# Once more, in place of itself.
	check_on $ONE rump.ifconfig shmif0 10.0.0.1/24
	has_routes
	check_on $ONE rump.ifconfig shmif0 delete
	check_on $ONE -o not-match:"^10\.0\.0" rump.netstat -rn -f inet
}
same_cleanup()
{
	clean_up
}

atf_test_case shared cleanup
shared_head()
{
	atf_set descr "the route of a subnet stays as long as an address of it does"
}
shared_body()
{
	serve $ONE
	plug $ONE shmif0 bus1 10.0.0.1/24
	check_on $ONE rump.ifconfig shmif0 10.0.0.3/24 alias
	check_on $ONE rump.ifconfig shmif0 10.0.0.1 delete
	check_on $ONE -o not-match:"^10\.0\.0\.1 " -o match:"^10\.0\.0\.3 +link#2 +UHl" \
	    -o match:"^10\.0\.0/24 +link#2 +UC" rump.netstat -rn -f inet
	check_on $ONE rump.ifconfig shmif0 destroy
	check_on $ONE -o not-match:"^10\.0\.0" rump.netstat -rn -f inet
}
shared_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case same
	atf_add_test_case shared
}
