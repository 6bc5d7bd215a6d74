// Package integration runs connpool against servers, with faults in between. It is
// a module of its own so that the servers' clients reach no user of poundlock.
//
// By default everything is in the process: a TCP echo server and miniredis. Real
// servers are used when these variables are set:
//
//	POUNDLOCK_REDIS      host:port of a redis-server, whose keys beginning with "poundlock:" are used
//	POUNDLOCK_POSTGRES   URL of a PostgreSQL database, of which nothing is changed
//	POUNDLOCK_SERVERS    the directory given to servers.sh start, to restart them for real
//	POUNDLOCK_LONG       run long: each fault ten times as often
//
// servers.sh installs both from Debian packages, starts them on loopback and stops
// them:
//
//	./servers.sh install
//	eval "$(./servers.sh start /tmp/servers)"
//	go test ./...
//	./servers.sh stop /tmp/servers
package integration
