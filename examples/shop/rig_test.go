package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

const (
	// slack is what a loaded machine, with the race detector, may add to a limit of time.
	slack = 3 * time.Second
	// recovery is within what the shop takes orders again after a fault: a breaker is
	// open for a second, and a pool that failed to dial pauses for a second at most.
	recovery = 2*time.Second + slack
	// patience is for what has to happen and has no limit of time: how much a loaded machine
	// does in a second is not the shop's affair.
	patience = time.Minute
	hold     = 4 * time.Second // of reservations
)

// rig is a shop in a process of its own, with the real servers, and its customers.
type rig struct {
	t         *testing.T
	name      string // application_name at PostgreSQL
	product   int64  // what is sold: a product for each test
	pay       *goods.Payments
	payURL    string
	queue     string // -queue
	pg        *pgconn.PgConn
	before    int64 // pieces in stock, reserved and ordered before
	cmd       *exec.Cmd
	addr, url string // the same after a restart
	debug     string
	client    *http.Client
	args      []string      // further ones
	hold      time.Duration // -hold: how long goods are held for an order

	row   atomic.Int64 // orders taken in a row
	http2 atomic.Int64 // answers that came over HTTP/2
	cut   atomic.Int64 // requests that the shop had taken and did not answer

	mu      sync.Mutex // guards all below
	taken   map[string]bool
	asked   map[string]time.Time // keys with when they were first sent
	late    map[string]bool      // keys whose goods went back to the shelf before they were paid
	refused map[string]int       // keys with their status, other 4xx
	unknown map[string]bool      // keys whose customer got no answer, or 5xx
	bodies  map[string]string
}

// servers returns the environment, or skips the test.
func servers(t *testing.T) (dir string) {
	if testing.Short() {
		t.Skip("takes seconds, and the real servers")
	}
	for _, name := range []string{"POUNDLOCK_POSTGRES", "POUNDLOCK_REDIS", "POUNDLOCK_SERVERS"} {
		if os.Getenv(name) != "" {
			continue
		}
		why := name + " is not set: eval \"$(connpool/integration/servers.sh start /tmp/servers)\""
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return os.Getenv("POUNDLOCK_SERVERS")
}

var nextProduct atomic.Int64

// newRig starts a shop; prepare may change how, or be nil.
func newRig(t *testing.T, prepare func(*rig)) *rig {
	servers(t)
	r := &rig{
		t: t, name: fmt.Sprintf("shop%d-%d", os.Getpid(), nextProduct.Add(1)), pay: new(goods.Payments),
		taken: map[string]bool{}, refused: map[string]int{}, unknown: map[string]bool{}, bodies: map[string]string{},
		asked: map[string]time.Time{}, late: map[string]bool{},
		addr: "127.0.0.1:0", hold: hold,
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	pay := httptest.NewServer(r.pay)
	t.Cleanup(pay.Close)
	t.Cleanup(func() { r.pay.BlackHole(false) })
	r.payURL = pay.URL
	r.product = 100 + nextProduct.Load()
	if prepare != nil {
		prepare(r)
	}
	t.Cleanup(r.client.CloseIdleConnections)
	r.start()
	r.connect()
	t.Cleanup(func() { _ = r.pg.Close(context.Background()) })
	r.before = r.sum()
	return r
}

// connect makes the test's own connection to the database.
func (r *rig) connect() {
	var err error
	r.pg, err = pgconn.Connect(context.Background(), os.Getenv("POUNDLOCK_POSTGRES"))
	require.NoError(r.t, err)
}

// start starts the shop.
func (r *rig) start() {
	url := os.Getenv("POUNDLOCK_POSTGRES")
	if strings.Contains(url, "?") {
		url += "&application_name=" + r.name
	} else {
		url += "?application_name=" + r.name
	}
	r.cmd = exec.Command(os.Args[0], append([]string{
		"-addr", r.addr, "-debug", "127.0.0.1:0", "-postgres", url,
		"-payment", r.payURL, "-queue", r.queue, "-products", "1000", "-hold", r.hold.String(),
	}, r.args...)...)
	r.cmd.Env = append(os.Environ(), child+"=1")
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, r.cmd.Start())
	cmd := r.cmd
	r.t.Cleanup(func() {
		if cmd.ProcessState == nil { // the test has failed
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(r.t, err)
	var where string
	_, err = fmt.Sscanf(line, "listening %s debug %s", &where, &r.debug)
	require.NoError(r.t, err, line)
	if r.url == "" { // customers read it from now on
		r.url = where
		_, r.addr, _ = strings.Cut(where, "://")
	}
}

// end ends the shop as an operator does, and requires that it ends well: what it has taken
// it answers.
func (r *rig) end() {
	r.t.Helper()
	was := r.cut.Load()
	require.NoError(r.t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(r.t, r.cmd.Wait())
	// Of 16 that ask all the time: a connection may be closed as idle just when the next asks.
	require.LessOrEqual(r.t, r.cut.Load()-was, int64(4), "requests that were taken and not answered")
	within(r.t, slack, "connections are left at PostgreSQL", func() bool { return r.connections() == 0 })
}

// within waits until ok.
func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > d {
			t.Fatalf("%s after %v", what, d)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// query returns the numbers of one row.
func (r *rig) query(sql string, params ...string) []int64 {
	args := make([][]byte, len(params))
	for i, p := range params {
		args[i] = []byte(p)
	}
	res := r.pg.ExecParams(context.Background(), sql, args, nil, nil, nil).Read()
	require.NoError(r.t, res.Err)
	require.Len(r.t, res.Rows, 1)
	numbers := make([]int64, len(res.Rows[0]))
	for i, text := range res.Rows[0] {
		n, err := strconv.ParseInt(string(text), 10, 64)
		require.NoError(r.t, err)
		numbers[i] = n
	}
	return numbers
}

func (r *rig) sum() int64 {
	return r.query(`select (select stock from shop.products where id = $1::bigint)
		+ (select coalesce(sum(quantity), 0) from shop.reservations where product = $1::bigint)::bigint
		+ (select coalesce(sum(quantity), 0) from shop.orders where product = $1::bigint)::bigint`, fmt.Sprint(r.product))[0]
}

func (r *rig) connections() int64 {
	return r.query(`select count(*) from pg_stat_activity where application_name = $1`, r.name)[0]
}

func (r *rig) figures() (f goods.Figures) {
	resp, err := r.client.Get(r.debug + "/figures")
	require.NoError(r.t, err)
	defer resp.Body.Close()
	require.NoError(r.t, json.NewDecoder(resp.Body).Decode(&f))
	return f
}

// post sends an order and keeps the books of what its customer knows.
func (r *rig) post(key, customer string, quantity int) (status int) {
	r.mu.Lock()
	r.bodies[key] = fmt.Sprintf(`{"key":%q,"customer":%q,"product":%d,"quantity":%d}`, key, customer, r.product, quantity)
	r.mu.Unlock()
	return r.repeat(key)
}

// repeat sends an order as it was sent before.
func (r *rig) repeat(key string) (status int) {
	r.mu.Lock()
	body := r.bodies[key]
	if r.asked[key].IsZero() {
		r.asked[key] = time.Now()
	}
	r.mu.Unlock()
	var text []byte
	resp, err := r.client.Post(r.url+"/orders", "application/json", strings.NewReader(body))
	if err == nil {
		status = resp.StatusCode
		if resp.ProtoMajor == 2 {
			r.http2.Add(1)
		}
		text, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	} else if !errors.Is(err, syscall.ECONNREFUSED) {
		r.cut.Add(1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case status == http.StatusCreated, status == http.StatusOK:
		r.taken[key] = true
		delete(r.unknown, key)
		r.row.Add(1)
	case status == http.StatusConflict && bytes.Contains(text, []byte(goods.ErrExpired.Error())) && time.Since(r.asked[key]) > r.hold:
		r.late[key] = true
	case status >= 400 && status < 500:
		r.refused[key] = status
	case status == 0, status >= 500:
		r.unknown[key] = true
		r.row.Store(0)
	}
	return status
}

// nextUnknown takes a key out of a set.
func (r *rig) nextUnknown(keys map[string]bool) (key string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key = range keys {
		delete(keys, key)
		return key, true
	}
	return "", false
}

// customers order, each one after the other, until stop. Every tenth asks again, at
// once, if it did not get an answer.
func (r *rig) customers(n int, customer func(i int) string) (stop func()) {
	return crowd(n, func(c, i int) {
		key := fmt.Sprintf("%s-%d-%d", r.name, c, i)
		if r.post(key, customer(i), 1+i%3) >= 500 && i%10 == 0 {
			r.post(key, customer(i), 1+i%3)
		}
		if r.row.Load() == 0 {
			<-time.After(20 * time.Millisecond) // nobody hammers a shop that is down
		}
	})
}

// crowd is n goroutines that call f again and again, each with its number and how often
// it has called before, until stop.
func crowd(n int, f func(c, i int)) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	for c := range n {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-quit:
					return
				default:
					f(c, i)
				}
			}
		})
	}
	return func() { close(quit); wg.Wait() }
}

func ada(int) string { return "Ada" }

// recovered waits until orders are taken again: the first of thirty in a row within the
// limit. It returns when that was.
func (r *rig) recovered() (first time.Time) {
	r.t.Helper()
	begin := time.Now()
	r.row.Store(0)
	for row := int64(0); row < 30; {
		within(r.t, recovery, "orders are not taken", func() bool { return r.row.Load() != row })
		was := row
		if row = r.row.Load(); was == 0 || row < was {
			first = time.Now()
			require.Less(r.t, first.Sub(begin), recovery, "no orders are taken in a row")
		}
	}
	r.t.Logf("recovered after %v", first.Sub(begin).Round(time.Millisecond))
	return first
}

// audit compares what customers know with the tables and with the payments: no order
// is lost, none is there twice, and money was taken for orders only.
func (r *rig) audit() {
	r.t.Helper()
	within(r.t, 2*hold+slack, "goods stay reserved", func() bool {
		return r.query("select count(*) from shop.reservations where product = $1::bigint", fmt.Sprint(r.product))[0] == 0
	})
	require.Equal(r.t, r.before, r.sum(), "pieces")
	res := r.pg.ExecParams(context.Background(), "select key, cents from shop.orders where product = $1::bigint and key like $2",
		[][]byte{fmt.Append(nil, r.product), []byte(r.name + "-%")}, nil, nil, nil).Read()
	require.NoError(r.t, res.Err)
	r.mu.Lock()
	defer r.mu.Unlock()
	orders := map[string]int64{}
	for _, row := range res.Rows {
		cents, err := strconv.ParseInt(string(row[1]), 10, 64)
		require.NoError(r.t, err)
		orders[string(row[0])] = cents
		if key := string(row[0]); !r.taken[key] && !r.unknown[key] {
			r.t.Errorf("%s was refused and is there", key)
		}
	}
	for key := range r.taken {
		if _, ok := orders[key]; !ok {
			r.t.Errorf("%s was taken and is not there", key)
		}
	}
	var charged map[string]int64
	within(r.t, 2*hold+slack, "charged and ordered differ", func() bool {
		charged = r.pay.Charged()
		return len(charged) == len(orders)
	})
	require.Equal(r.t, orders, charged)
	r.t.Logf("%d orders taken, %d with an answer that got lost, %d in the table", len(r.taken), len(r.unknown), len(orders))
}

// script runs the servers' script.
func (r *rig) script(args ...string) {
	path := filepath.Join("..", "..", "connpool", "integration", "servers.sh")
	out, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(r.t, err, string(bytes.TrimSpace(out)))
}
