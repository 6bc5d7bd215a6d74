package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// writer changes one product again and again: its name is a number that grows.
type writer struct {
	product         int64
	sent, confirmed int64        // the last number sent, and the last that was answered 2xx
	done            atomic.Int64 // how many were
}

// writers are all who change products.
type writers struct {
	r     *rig
	all   []*writer
	quiet atomic.Bool  // nothing is broken now: what was confirmed is what is read
	stale atomic.Int64 // reads that were older
	stop  func()
}

func (r *rig) writers(n int) *writers {
	ws := &writers{r: r}
	ws.quiet.Store(true)
	first := time.Now().UnixMilli() // of an earlier run's numbers none is as large
	for i := range n {
		ws.all = append(ws.all, &writer{product: 900 + int64(i), sent: first, confirmed: first})
	}
	ws.stop = crowd(n, func(c, _ int) { ws.change(ws.all[c]) })
	return ws
}

// change changes the product of w once, and looks at it.
func (ws *writers) change(w *writer) {
	quiet := ws.quiet.Load()
	w.sent++
	if !ws.put(w.product, w.sent) {
		<-time.After(5 * time.Millisecond) // nobody hammers a shop that is down
		return
	}
	w.confirmed = w.sent
	w.done.Add(1)
	if n, ok := ws.get(w.product); ok && n < w.confirmed && quiet && ws.quiet.Load() {
		ws.stale.Add(1)
	}
}

func (ws *writers) put(id, n int64) bool {
	req, err := http.NewRequest("PUT", fmt.Sprint(ws.r.url, "/products/", id), strings.NewReader(fmt.Sprintf(`{"name":"%d"}`, n)))
	if err != nil {
		return false
	}
	resp, err := ws.r.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusNoContent
}

func (ws *writers) get(id int64) (n int64, ok bool) {
	resp, err := ws.r.client.Get(fmt.Sprint(ws.r.url, "/products/", id))
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	var p goods.Product
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&p) != nil {
		return 0, false
	}
	if n, err = strconv.ParseInt(p.Name, 10, 64); err != nil {
		return 0, true // its name from before all changes
	}
	return n, true
}

// goOn waits until each has changed its product some more times, and for none of these
// changes longer than the limit.
func (ws *writers) goOn() {
	ws.r.t.Helper()
	for _, w := range ws.all {
		for done, end := w.done.Load(), w.done.Load()+20; done < end; done = w.done.Load() {
			within(ws.r.t, recovery, "changes are not accepted", func() bool { return w.done.Load() > done })
		}
	}
}

// audit ends them and compares what they were told with the table, after the shop has
// ended: no change that was confirmed is lost, nor overwritten by an older one.
func (ws *writers) audit() {
	ws.r.t.Helper()
	ws.stop()
	for _, w := range ws.all {
		name := ws.r.query("select name::bigint from shop.products where id = $1::bigint", fmt.Sprint(w.product))[0]
		require.GreaterOrEqual(ws.r.t, name, w.confirmed, "a confirmed change of %d is lost", w.product)
		require.LessOrEqual(ws.r.t, name, w.sent)
		ws.r.t.Logf("product %d: %d changes confirmed, %d behind the last", w.product, w.done.Load(), name-w.confirmed)
	}
	require.Zero(ws.r.t, ws.stale.Load(), "who was told that a change is done sees it")
}

// PostgreSQL is restarted, Redis is killed, and the process is ended, all while products
// change.
func TestChangesUnderLoad(t *testing.T) {
	dir := servers(t)
	for _, policy := range []string{"around", "back"} {
		t.Run(policy, func(t *testing.T) {
			var ws *writers
			underLoad(t, func(r *rig) { r.args = []string{"-write", policy} }, func(r *rig) {
				ws = r.writers(4)
				ws.goOn()
				ws.quiet.Store(false)
				r.script("restart", dir, "postgres")
				r.connect()
				ws.goOn()
				killRedis(t, dir)
				ws.goOn() // without Redis
				r.script("restart", dir, "redis")
				ws.goOn()
			})
			ws.audit()
		})
	}
}
