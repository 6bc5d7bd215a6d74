package lockfree

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mutant is one wrong line that the tests must catch.
type mutant struct {
	name, file, old, new string
	quick                bool // applied in the usual run too
}

var mutants = []mutant{
	{
		"cut tail not recovered from head", "mslist.go",
		"case t:\n\t\t\tq.tail.CompareAndSwap(t, q.head.Load())\n\t\tdefault:\n\t\t\tstep(msHelping)", "default:\n\t\t\tstep(msHelping)", false,
	},
	{
		"dequeued value not cleared", "mslist.go",
		"v = next.val\n\t\tvar zero T\n\t\tnext.val = zero", "v = next.val", false,
	},
	{
		"dead nodes not cut", "msnodes.go",
		"if !neighbours || h.seq%cutEvery == 0 {", "if false && neighbours {", false,
	},
	{
		"nodes of other chunks not cut off", "msnodes.go",
		"if !neighbours || h.seq%cutEvery == 0 {", "if h.seq%cutEvery == 0 || false && neighbours {", false,
	},
	{
		"neighbours never cut", "msnodes.go",
		"if !neighbours || h.seq%cutEvery == 0 {", "if !neighbours {", false,
	},
	{
		"no gap behind a chunk", "msnodes.go",
		"make([]msNode[T], n+1)[:n]", "make([]msNode[T], n)", false,
	},
	{
		"refused value kept", "msnodes.go",
		"var zero T\n\t\tn.val = zero", "_ = n.val", false,
	},
	{
		"node handed out twice", "msnodes.go",
		"(*perP)[p].free = chunk[1:]", "(*perP)[p].free = chunk", false,
	},
	{
		"Len of two moments", "mslist.go",
		"if q.head.Load() == h {", "if true {", false,
	},
	{
		"lost race reported as empty (list)", "mslist.go",
		"q.deqGov.lost(h.seq * one)\n\t\t\tcontinue\n\t\t}\n\t\tstep(msTook)\n\t\tv =", "return v, false\n\t\t}\n\t\tstep(msTook)\n\t\tv =", false,
	},
	{
		"enqueue after Close (list)", "mslist.go",
		"case &q.end:\n\t\t\treturn ErrClosed", "case &q.end:\n\t\t\treturn nil", false,
	},

	{
		"lost race reported as empty (ring)", "list.go",
		"l.deqGov.lost(h)\n\t\t\tcontinue", "return v, false", true,
	},
	{
		"empty without looking at tail", "list.go",
		"if t&^flags == h {\n\t\tif t&flags == sealed {", "if t&^flags == h || s.seq.Load() == h {\n\t\tif t&flags == sealed {", false,
	},
	{
		"sealed and drained taken for empty", "list.go",
		"return l.retire(r)\n\t\t}\n\t\treturn true", "l.retire(r)\n\t\t}\n\t\treturn true", false,
	},
	{
		"stalled producer waited for", "list.go",
		"if i < patience {", "if true {", false,
	},
	{
		"stalled consumer not passed over", "list.go",
		"s.seq.CompareAndSwap(w, t|dead)", "_ = w", false,
	},
	{
		"dead slot used again at once", "list.go",
		"if w&state != 0 {\n\t\t\ts.seq.CompareAndSwap(w, t|dead)", "if w&state != 0 {\n\t\t\ts.seq.CompareAndSwap(w, t)", false,
	},
	{
		"ring never full", "list.go",
		"case int64(t-r.head.Load()) >= int64(r.lap):", "case false:", false,
	},
	{
		"sealed ring gives tickets", "list.go",
		"r.tail.CompareAndSwap(t, t|sealed)", "r.tail.CompareAndSwap(t, t+one)", false,
	},
	{
		"head passes a ticket that was not given", "list.go",
		"if t&^flags == h {\n\t\tif t&flags == sealed {", "if t&^flags == h && s.seq.Load() == h {\n\t\tif t&flags == sealed {", false,
	},
	{
		"tail left on a retired ring", "list.go",
		"l.tail.CompareAndSwap(r, next) // tail must not be behind head", "", false,
	},
	{
		"retired ring not cut", "list.go",
		"r.next.Store(r)", "_ = r", false,
	},
	{
		"retired ring cut with nil", "list.go",
		"r.next.Store(r)", "r.next.Store(nil)", false,
	},
	{
		"append without compare", "list.go",
		"if !r.next.CompareAndSwap(nil, next) {\n\t\treturn false\n\t}", "r.next.Store(next)", false,
	},
	{
		"closed set on a sealed ring", "close.go",
		"case t&sealed != 0:\n\t\t\t// The next", "case false:\n\t\t\t// The next", false,
	},
	{
		"Close wakes nobody", "close.go",
		"step(closed)\n\t\tl.notEmpty.wakeAll()", "step(closed)", false,
	},
	{
		"barred counted by those who did not bar", "list.go",
		"case slotBarred:\n\t\tl.barred.Add(1)\n\t\tfallthrough", "case slotBarred:\n\t\tfallthrough", false,
	},

	{
		"owner's slot freed for its own ticket", "ring.go",
		"s.seq.CompareAndSwap(w, w&^state+r.lap)", "s.seq.CompareAndSwap(w, w&^state)", false,
	},
	{
		"barred producer does not leave", "ring.go",
		"step(enqBarred)\n\tr.leave(s)", "step(enqBarred)", false,
	},
	{
		"barred value kept", "ring.go",
		"var zero T\n\ts.val = zero\n\tstep(enqBarred)", "step(enqBarred)", false,
	},
	{
		"published without compare", "ring.go",
		"if s.seq.CompareAndSwap(t, t|full) {\n\t\treturn true\n\t}", "if s.seq.Store(t|full); s != nil {\n\t\treturn true\n\t}", true,
	},
	{
		"left without compare", "ring.go",
		"if !s.seq.CompareAndSwap(h|full, h+r.lap) {\n\t\tr.leave(s)\n\t}", "s.seq.Store(h+r.lap)", false,
	},
	{
		"value read after the slot is left", "ring.go",
		"step(deqRead)\n\tif !s.seq.CompareAndSwap(h|full, h+r.lap) {\n\t\tr.leave(s)\n\t}",
		"if !s.seq.CompareAndSwap(h|full, h+r.lap) {\n\t\tr.leave(s)\n\t}\n\tstep(deqRead)\n\tv = s.val", false,
	},
	{
		"taken value kept", "ring.go",
		"var zero T\n\ts.val = zero\n\tstep(deqRead)", "step(deqRead)", false,
	},

	{
		"batch goes on after a barred value", "batch.go",
		"l.withdraw(r, x+one, end)\n\t\t\treturn i", "_ = end", false,
	},
	{
		"withdrawn tickets not counted", "batch.go",
		"if s.seq.CompareAndSwap(t, t+r.lap) {\n\t\t\tl.barred.Add(1)", "if s.seq.CompareAndSwap(t, t+r.lap) {\n\t\t\t_ = s", false,
	},
	{
		"batch takes slots that are not ready", "batch.go",
		"if r.at(x).seq.Load() != x|state {", "if i == 0 && r.at(x).seq.Load() != x|state {", false,
	},

	{
		"limit one too many", "limit.go",
		"until := h + l.capacity", "until := h + l.capacity + one", false,
	},
	{
		"tickets compared as if they never wrapped", "limit.go",
		"if n := int64(l.limit.until.Load() - t); n > 0 {\n\t\treturn n / one", "if u := l.limit.until.Load(); u > t {\n\t\treturn int64(u-t) / one", false,
	},
	{
		"stalled producers counted as values", "limit.go",
		"case slotBarred:\n\t\t\t\tl.barred.Add(1)", "case slotBarred:\n\t\t\t\tlive += one", false,
	},
	{
		"counted though some were dead", "limit.go",
		"if live == t-h {", "if true {", false,
	},

	{
		"Drain takes more than it yields", "wait.go",
		"if !ok || !yield(v) {", "if !ok || func() bool { defer try(); return !yield(v) }() {", false,
	},
	{
		"no second look after registering", "waiters.go",
		"step(waitJoined)\n\t\tif try() {", "step(waitJoined)\n\t\tif false && try() {", false,
	},
	{
		"claimed before signalled", "waiters.go",
		"step(wakeOne)\n\t\tc <- struct{}{}\n\t\tstep(wakeSent)\n\t\tw.settle()", "w.unclaimed.Add(-1)\n\t\tstep(wakeOne)\n\t\tc <- struct{}{}\n\t\tstep(wakeSent)", false,
	},
	{
		"signal of a cancelled waiter lost", "waiters.go",
		"w.wake(1) // the signal was for somebody who still waits", "", false,
	},
	{
		"one signal for a batch", "waiters.go",
		"; n > 0 && w.unclaimed.Load() > 0; n--", "; n > 0 && w.unclaimed.Load() > 0; n = 0", false,
	},
	{
		"success not passed on", "waiters.go",
		"if w.unclaimed.Load() > 0 && more() {", "if false && more() {", false,
	},
	{
		"signal that nobody claims not taken back", "waiters.go",
		"step(wakeSent)\n\t\tw.settle()", "step(wakeSent)\n\t\tif w.unclaimed.Load() > 0 {\n\t\t\tw.settle()\n\t\t}", false,
	},
	{
		"token taken back though a waiter is unclaimed", "waiters.go",
		"if n > 0 {\n\t\t\tif w.unclaimed.CompareAndSwap(n, n-1) {", "if n > 1 {\n\t\t\tif w.unclaimed.CompareAndSwap(n, n-1) {", false,
	},
	{
		"cancelled waiter stays counted", "waiters.go",
		"case <-done:\n\t\t\tw.settle()", "case <-done:", false,
	},
}

// control changes nothing: what it is caught by says nothing about the others.
var control = mutant{"control", "ring.go", "package lockfree", "package lockfree", false}

// TestMutants applies each mutant to a copy of its file and expects the tests to
// fail. The usual run tries those that are quick to see; POUNDLOCK_LONG=1 all.
func TestMutants(t *testing.T) {
	if os.Getenv("POUNDLOCK_MUTANT") != "" {
		t.Skip("this is a mutant")
	}
	if testing.Short() || raceEnabled || chaotic {
		t.Skip("builds the package again and again: once, in the usual build, is enough")
	}
	gobin, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(mutants, control) {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(dir, m.file)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), m.old); n != 1 {
				t.Fatalf("the line to change is there %d times", n)
			}
			if !m.quick && !long() {
				t.Skip("POUNDLOCK_LONG=1 applies it")
			}
			tmp := t.TempDir()
			mutated := filepath.Join(tmp, m.file)
			if err := os.WriteFile(mutated, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{path: mutated}})
			config := filepath.Join(tmp, "overlay.json")
			if err := os.WriteFile(config, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			bin := filepath.Join(tmp, "mutant.test")
			build := exec.Command(gobin, "test", "-c", "-vet=off", "-tags=chaos", "-overlay="+config, "-o", bin, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("does not build: %v\n%s", err, out)
			}
			// One red run of a few is enough: these are races.
			for _, how := range []string{"-test.short", "-test.short", "-test.short=false"} {
				ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
				cmd := exec.CommandContext(ctx, bin, how, "-test.failfast", "-test.timeout=25s")
				cmd.Env = append(os.Environ(), "POUNDLOCK_MUTANT=1", "POUNDLOCK_LONG=")
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				cancel()
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					if m == control {
						t.Fatalf("the tests fail without a mutation:\n%s", out)
					}
					t.Logf("caught: %s", firstFailure(string(out)))
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if m != control {
				t.Error("survived")
			}
		})
	}
}

func firstFailure(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		if strings.Contains(line, "--- FAIL") || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return line
		}
	}
	return "failed"
}
