package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
)

const (
	survivesKill  = "kill -9 of the server"
	survivesPower = "a power loss"
)

// startServers builds and starts nats-server, and looks at the others: all must have
// the same durability.
func startServers(ctx context.Context, sync bool) (at *addresses, stop func(), err error) {
	at = &addresses{Postgres: os.Getenv("POUNDLOCK_POSTGRES"), Redis: os.Getenv("POUNDLOCK_REDIS")}
	if err := checkPostgres(ctx, at.Postgres, sync); err != nil {
		return nil, nil, err
	}
	if err := checkRedis(ctx, at.Redis, sync); err != nil {
		return nil, nil, err
	}
	for i := range all {
		all[i].durability = survivesKill
		if sync {
			all[i].durability = survivesPower
		}
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	var cmd *exec.Cmd
	stop = func() {
		if cmd != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		_ = os.RemoveAll(dir)
	}
	if cmd, at.NATS, err = startNATS(dir, sync); err != nil {
		stop()
		return nil, nil, fmt.Errorf("nats-server: %w", err)
	}
	return at, stop, nil
}

func startNATS(dir string, sync bool) (*exec.Cmd, string, error) {
	bin, conf := filepath.Join(dir, "nats-server"), filepath.Join(dir, "conf")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("%w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	addr := l.Addr().String()
	_ = l.Close()
	interval := `"2m"` // the default
	if sync {
		interval = "always"
	}
	err = os.WriteFile(conf, fmt.Appendf(nil, "listen: %q\njetstream { store_dir: %q, sync_interval: %s }\n", addr, filepath.Join(dir, "store"), interval), 0o600)
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(bin, "-c", conf)
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	url := "nats://" + addr
	nc, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.ReconnectWait(20*time.Millisecond))
	if err == nil {
		err = nc.FlushTimeout(20 * time.Second)
		nc.Close()
	}
	return cmd, url, err
}

// checkPostgres asserts that commits are written to the disk as the comparison needs.
func checkPostgres(ctx context.Context, at string, sync bool) error {
	if at == "" {
		return nil
	}
	c, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	var fsync, commit string
	if err := c.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('synchronous_commit')").Scan(&fsync, &commit); err != nil {
		return err
	}
	if on := fsync == "on" && commit == "on"; on != sync {
		return fmt.Errorf("PostgreSQL: fsync is %s and synchronous_commit %s, which is not what -sync=%v compares", fsync, commit, sync)
	}
	return nil
}

// checkRedis makes Redis write its log, by default once for all that it answers at a
// time, with -sync through to the disk.
func checkRedis(ctx context.Context, at string, sync bool) error {
	if at == "" {
		return nil
	}
	rdb := redis.NewClient(&redis.Options{Addr: at})
	defer rdb.Close()
	policy := "everysec"
	if sync {
		policy = "always"
	}
	if err := rdb.ConfigSet(ctx, "appendfsync", policy).Err(); err != nil {
		return err
	}
	return rdb.ConfigSet(ctx, "appendonly", "yes").Err()
}
