#!/usr/bin/env atf-sh
# route change: a route stays in its place and gets other flags, another gateway, interface or source address.

. "$(atf_get_srcdir)/common.sh"

HOST=unix://host
PEER=unix://peer

# row DESTINATION GATEWAY FLAGS INTERFACE
row()
{
	check_on $HOST -o match:"^$1 +$2 +$3 +- +- +.+ +$4\$" rump.netstat -rn -f inet
}

atf_test_case fate cleanup
fate_head()
{
	atf_set descr "reject becomes blackhole, that becomes reject, and both an ordinary route"
}
fate_body()
{
	serve $HOST
	plug $HOST shmif0 bus1 10.0.0.1/24
	check_on $HOST rump.route -q add 172.16.0.1 127.0.0.1 -reject
	row 172.16.0.1 127.0.0.1 UGHRS lo0
	check_on $HOST -s not-exit:0 -o ignore -e match:"No route to host" rump.ping -n -c 1 -w 1 172.16.0.1
	check_on $HOST -o inline:"change host 172.16.0.1: gateway 127.0.0.1\n" rump.route change 172.16.0.1 127.0.0.1 -noreject -blackhole
	row 172.16.0.1 127.0.0.1 UGHBS lo0
	check_on $HOST -s exit:2 -o match:"100.0% packet loss" -e empty rump.ping -n -c 1 -w 1 172.16.0.1
	check_on $HOST -o inline:"change host 172.16.0.1\n" rump.route change 172.16.0.1 -noblackhole -reject
	row 172.16.0.1 127.0.0.1 UGHRS lo0
	check_on $HOST rump.route -q change 172.16.0.1 10.0.0.2
	row 172.16.0.1 10.0.0.2 UGHS shmif0
}
fate_cleanup()
{
	clean_up
}

atf_test_case way cleanup
way_head()
{
	atf_set descr "gateway, interface and source address change; packets obey"
}
way_body()
{
	serve $HOST
	serve $PEER
	plug $HOST shmif0 bus1 10.0.0.1/24
	check_on $HOST rump.ifconfig shmif0 10.0.0.2/24 alias
	plug $HOST shmif1 bus1 10.0.1.1/24
	plug $PEER shmif0 bus1 10.0.0.9/24
	check_on $PEER rump.ifconfig shmif0 10.0.9.9/32 alias
	check_on $HOST rump.ifconfig -w 20
	check_on $PEER rump.ifconfig -w 20
	check_on $HOST rump.route -q add default 10.0.0.9
	row default 10.0.0.9 UGS shmif0
	pings $HOST 10.0.9.9
	new_frames bus1 >/dev/null
	check_on $HOST -o inline:"change net default\n" rump.route change default -ifa 10.0.0.2
	check_on $HOST -o match:"^ local addr: 10.0.0.2$" -o match:"^    gateway: 10.0.0.9$" rump.route -n get default
	pings $HOST 10.0.9.9
	atf_check -o match:"10.0.0.2 > 10.0.9.9: ICMP echo request" -x "cat <<END
$(new_frames bus1)
END"
	check_on $HOST rump.route -q change default -ifp shmif1
	row default 10.0.0.9 UGS shmif1
	check_on $HOST rump.route -q change default 10.0.0.8
	row default 10.0.0.8 UGS shmif0
	check_on $HOST rump.route -q change default -lock -mtu 1400
	check_on $HOST -o match:"^default +10.0.0.8 +UGS +- +- +1400L shmif0$" rump.netstat -rn -f inet
}
way_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case fate
	atf_add_test_case way
}
