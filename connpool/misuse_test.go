package connpool_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func wantPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		v, _ := recover().(string)
		require.Contains(t, v, "connpool: ")
		require.Contains(t, v, want)
	}()
	f()
}

func TestMisuseIsDetectedExactly(t *testing.T) {
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen = 1 })
	c := acquire(t, p)
	stale := c // a copy of the same loan
	c.Release()
	all := map[string]func(){
		"Release": stale.Release,
		"Destroy": func() { stale.Destroy(nil) },
		"Hijack":  func() { stale.Hijack() },
		"Value":   func() { stale.Value() },
		"Info":    func() { stale.Info() },
	}
	for name, f := range all {
		wantPanic(t, name+" of a connection that was released (", f)
	}
	d := acquire(t, p) // the same connection on another loan
	require.Equal(t, 1, d.Value().id)
	for name, f := range all {
		wantPanic(t, name+" of a connection that was released and lent again", f)
	}
	require.Equal(t, 1, d.Value().id, "the rightful holder is not disturbed")
	stale = d
	d.Destroy(nil)
	stale.Release() // allowed
	wantPanic(t, "was destroyed or hijacked", func() { stale.Destroy(nil) })
	wantPanic(t, "was destroyed or hijacked", func() { stale.Value() })

	// Closed while idle: a second release is still told from one after Destroy.
	d = acquire(t, p)
	d.Release()
	p.Evict(nil)
	wantPanic(t, "Release of a connection that was released", d.Release)
	for _, f := range []func(){
		connpool.Conn[*fake]{}.Release, func() { connpool.Conn[*fake]{}.Value() }, func() { connpool.Conn[*fake]{}.Destroy(nil) },
		func() { connpool.Conn[*fake]{}.Hijack() }, func() { connpool.Conn[*fake]{}.Info() },
	} {
		wantPanic(t, "zero Conn", f)
	}
	s.end(p)
}

func TestDoubleReleaseIsDetectedWithWaitersAndFeatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.Order = 1, connpool.LIFO
			c.OnReleased = func(*fake, connpool.Info) {}
			c.Reset = func(context.Context, *fake) error { return nil }
		})
		c := acquire(t, p)
		got := make(chan connpool.Conn[*fake], 1)
		go func() { got <- acquire(t, p) }()
		synctest.Wait()
		c.Release()
		wantPanic(t, "released", c.Release)
		d := <-got
		wantPanic(t, "lent again", c.Release)
		d.Release()
		s.end(p)
	})
}

func TestConfigErrors(t *testing.T) {
	s := newServer(t)
	for want, change := range map[string]func(*connpool.Config[*fake]){
		"Dial is nil":                  func(c *connpool.Config[*fake]) { c.Dial = nil },
		"Close is nil":                 func(c *connpool.Config[*fake]) { c.Close = nil },
		"MaxOpen -1":                   func(c *connpool.Config[*fake]) { c.MaxOpen = -1 },
		"MinIdle 8 exceeds MaxOpen 4":  func(c *connpool.Config[*fake]) { c.MinIdle = 8 },
		"MinOpen 8 exceeds MaxOpen 4":  func(c *connpool.Config[*fake]) { c.MinOpen = 8 },
		"MinOpen 3 exceeds MaxIdle 2":  func(c *connpool.Config[*fake]) { c.MinOpen, c.MaxIdle = 3, 2 },
		"MinOpen -1":                   func(c *connpool.Config[*fake]) { c.MinOpen = -1 },
		"IdleJitter 2s exceeds":        func(c *connpool.Config[*fake]) { c.IdleJitter, c.IdleTimeout = 2*time.Second, time.Second },
		"MinIdle 3 exceeds MaxIdle 2":  func(c *connpool.Config[*fake]) { c.MinIdle, c.MaxIdle = 3, 2 },
		"MinIdle 1 exceeds MaxIdle -1": func(c *connpool.Config[*fake]) { c.MinIdle, c.MaxIdle = 1, -1 },
		"MaxDialing -2":                func(c *connpool.Config[*fake]) { c.MaxDialing = -2 },
		"MaxLifetime -1ns":             func(c *connpool.Config[*fake]) { c.MaxLifetime = -1 },
		"LifetimeJitter 2s exceeds":    func(c *connpool.Config[*fake]) { c.LifetimeJitter, c.MaxLifetime = 2*time.Second, time.Second },
		"IdleTimeout":                  func(c *connpool.Config[*fake]) { c.IdleTimeout = -1 },
		"KeepAlive":                    func(c *connpool.Config[*fake]) { c.KeepAlive = -1 },
		"LeakAfter":                    func(c *connpool.Config[*fake]) { c.LeakAfter = -1 },
		"Tick":                         func(c *connpool.Config[*fake]) { c.Tick = -1 },
		"Backoff.Max 1ms is below":     func(c *connpool.Config[*fake]) { c.Backoff = connpool.Backoff{Min: 2 * ms, Max: ms} },
		"Backoff.Factor 0.5":           func(c *connpool.Config[*fake]) { c.Backoff.Factor = 0.5 },
		"Backoff.Jitter 2":             func(c *connpool.Config[*fake]) { c.Backoff.Jitter = 2 },
		"Breaker.Failures -1":          func(c *connpool.Config[*fake]) { c.Breaker.Failures = -1 },
		"Breaker.OpenFor":              func(c *connpool.Config[*fake]) { c.Breaker.OpenFor = -1 },
		"Order 7":                      func(c *connpool.Config[*fake]) { c.Order = 7 },
	} {
		cfg := s.config()
		change(&cfg)
		_, err := connpool.New(cfg)
		require.ErrorContains(t, err, "connpool: ")
		require.ErrorContains(t, err, want)
	}
	p, err := connpool.New(connpool.Config[*fake]{Dial: s.dial, Close: s.close})
	require.NoError(t, err, "the other fields' zero values work")
	require.GreaterOrEqual(t, p.Stats().MaxOpen, 4)
	acquire(t, p).Release()
	s.end(p)
}

func TestHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		var mu sync.Mutex
		var log []string
		say := func(what string) {
			mu.Lock()
			log = append(log, what)
			mu.Unlock()
			panic("hooks are contained")
		}
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.Check, c.CheckAfterIdle, c.MaxOpen = s.check, -1, 1
			c.OnDialed = func(_ *fake, i connpool.Info) { say("dialed") }
			c.OnDialFailed = func(err error) { say("dial failed: " + err.Error()) }
			c.OnAcquired = func(_ *fake, i connpool.Info) { say("acquired " + i.State.String()) }
			c.OnReleased = func(_ *fake, i connpool.Info) { say("released " + i.State.String()) }
			c.OnCheckFailed = func(_ *fake, _ connpool.Info, err error) { say("check failed: " + err.Error()) }
			c.OnClosed = func(_ *fake, i connpool.Info, err error) { say("closed " + i.Reason.String() + ": " + err.Error()) }
		})
		s.dialErr = errDown
		_, err := p.Acquire(t.Context())
		require.Error(t, err)
		s.set(func() { s.dialErr = nil })
		synctest.Wait()
		c := acquire(t, p)
		c.Value().broken.Store(true)
		c.Release()
		c = acquire(t, p)
		synctest.Wait()
		c.Destroy(errDown)
		s.end(p)
		require.ElementsMatch(t, []string{
			"dial failed: server is down",
			"dialed", "acquired in use", "released in use",
			"check failed: server is down", "closed check: server is down",
			"dialed", "acquired in use", "closed destroy: server is down",
		}, log, "each in a goroutine of its own")
		require.EqualValues(t, 9, p.Stats().Panics)
	})
}

func TestStatsAreReadableAsJSON(t *testing.T) {
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.Name = "db" })
	acquire(t, p).Release()
	b, err := json.Marshal(p.Stats())
	require.NoError(t, err)
	for _, want := range []string{`"name":"db"`, `"acquires":1`, `"breaker":"closed"`, `"lifetime":0`, `"wait_time":{"count":1`} {
		require.Contains(t, string(b), want)
	}
	var back connpool.Stats
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, connpool.BreakerClosed, back.Breaker)
	b, err = json.Marshal(p.Conns())
	require.NoError(t, err)
	require.Contains(t, string(b), `"state":"idle"`)
	typ := reflect.TypeFor[connpool.Stats]()
	for i := range typ.NumField() {
		require.NotEmpty(t, typ.Field(i).Tag.Get("json"), typ.Field(i).Name)
	}
	s.end(p)
}

func TestHotPathAllocatesNothing(t *testing.T) {
	s := newServer(t)
	p := s.pool()
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		c, _ := p.Acquire(ctx)
		_ = c.Value()
		c.Release()
	}))
	s.end(p)
}

func TestImportsAreFew(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		switch {
		case strings.HasPrefix(pkg, "golang.org/x/"), strings.HasPrefix(pkg, "github.com/poundlock/poundlock/internal/"):
		case pkg == "github.com/poundlock/poundlock/connpool", pkg == "github.com/poundlock/poundlock/connpool/health":
		default:
			t.Errorf("imports %s", pkg)
		}
	}
}
