#!/bin/bash
# Installs, starts and stops the real servers of the integration tests.
#   servers.sh install               the Debian packages redis-server and postgresql
#   servers.sh start DIR             starts both on loopback with their data in DIR,
#                                    prints what to eval for the tests
#   servers.sh restart DIR redis|postgres
#   servers.sh stop DIR              stops both, by their pids, and removes DIR
# POUNDLOCK_REDIS_PORT and POUNDLOCK_POSTGRES_PORT choose the ports (16379, 15432).
# PostgreSQL refuses to run as root: then its package's user postgres runs it.
set -euo pipefail

redis_port=${POUNDLOCK_REDIS_PORT:-16379}
pg_port=${POUNDLOCK_POSTGRES_PORT:-15432}

die() {
	printf 'servers.sh: %s\n' "$*" >&2
	exit 1
}

# as_pg runs a command of PostgreSQL's as a user that may.
as_pg() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && runuser -u postgres -- "$pg_bin/$1" "${@:2}")
	else
		"$pg_bin/$1" "${@:2}"
	fi
}

find_pg() {
	pg_bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
	[ -x "$pg_bin/pg_ctl" ] || die "PostgreSQL is not installed: servers.sh install"
}

# wait_gone PID waits until the process has ended.
wait_gone() {
	for _ in $(seq 100); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	die "process $1 does not end"
}

install_servers() {
	export DEBIAN_FRONTEND=noninteractive
	if command -v redis-server >/dev/null && [ -d /usr/lib/postgresql ]; then
		return
	fi
	# Only our own instances are wanted, not those that the packages would start.
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	apt-get update -q
	apt-get install -q -y --no-install-recommends redis-server postgresql
}

start_redis() {
	redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$dir/redis" --save '' --appendonly no \
		--daemonize yes --pidfile "$dir/redis/pid" --logfile "$dir/redis/log" >/dev/null
	for _ in $(seq 100); do
		redis-cli -p "$redis_port" ping >/dev/null 2>&1 && return
		sleep 0.1
	done
	cat "$dir/redis/log" >&2
	die "redis-server does not answer"
}

stop_redis() {
	[ -f "$dir/redis/pid" ] || return 0
	local pid
	pid=$(cat "$dir/redis/pid")
	kill "$pid" 2>/dev/null || true
	wait_gone "$pid"
}

start_pg() {
	as_pg pg_ctl start -w -D "$dir/pg/data" -l "$dir/pg/log" \
		-o "-p $pg_port -c listen_addresses=127.0.0.1 -k $dir/pg -c fsync=off -c max_connections=50" >/dev/null ||
		{ cat "$dir/pg/log" >&2; die "PostgreSQL does not start"; }
}

# pg_ctl signals the pid in DIR/pg/data/postmaster.pid and waits for its end.
stop_pg() {
	[ -f "$dir/pg/data/postmaster.pid" ] || return 0
	as_pg pg_ctl stop -w -m fast -D "$dir/pg/data" >/dev/null
}

command=${1:-}
if [ "$command" = install ]; then
	install_servers
	exit
fi
[ $# -ge 2 ] || die "usage: servers.sh install | start DIR | restart DIR redis|postgres | stop DIR"
dir=$(realpath -m "$2")
case "$command" in
start)
	[ ! -e "$dir" ] || die "$dir exists"
	find_pg
	mkdir -p "$dir/redis" "$dir/pg"
	chmod 755 "$dir"
	[ "$(id -u)" != 0 ] || chown postgres "$dir/pg"
	start_redis
	as_pg initdb -D "$dir/pg/data" -U poundlock -A trust -N >/dev/null
	start_pg
	echo "export POUNDLOCK_REDIS=127.0.0.1:$redis_port"
	echo "export POUNDLOCK_POSTGRES='postgres://poundlock@127.0.0.1:$pg_port/postgres?sslmode=disable'"
	echo "export POUNDLOCK_SERVERS='$dir'"
	;;
restart)
	find_pg
	case "${3:-}" in
	redis) stop_redis && start_redis ;;
	postgres) stop_pg && start_pg ;;
	*) die "restart what?" ;;
	esac
	;;
stop)
	find_pg
	stop_pg
	stop_redis
	rm -rf "$dir"
	;;
*) die "unknown command $command" ;;
esac
