package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/poundlock/poundlock/bench/internal/runner/report"
	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// campaign takes all samples of a run.
type campaign struct {
	units   []unit
	budget  budget
	timeout time.Duration
	launch  launcher
	rng     *rand.Rand
	raw     io.Writer // every benchmark line, as it comes
	show    *progress

	samples []sample
	broken  map[[2]int]bool // unit, impl: failed or skipped; not tried again
	ops     map[[2]int]int  // unit, impl: how many ops the next sample runs
	spent   []time.Duration // per unit, over the rounds it had
	had     []int           // rounds per unit
	rounds  int             // rounds begun
	ended   string          // why it ended early

	interrupted bool // by the user
}

// errFault is a fault of the runner or of the machine, not of an implementation.
var errFault = errors.New("cannot run a sample")

// measure takes the samples, round by round, until all rounds are done, the time
// is over or ctx ends.
func (m *campaign) measure(ctx context.Context) error {
	start := time.Now()
	m.broken = make(map[[2]int]bool)
	m.ops = make(map[[2]int]int)
	m.spent = make([]time.Duration, len(m.units))
	m.had = make([]int, len(m.units))
	for round := range m.budget.rounds {
		left := m.remaining(time.Since(start))
		if sum(left) == 0 {
			break
		}
		m.rounds = round + 1
		jobs := schedule(m.rng, m.units, round, func(u, i int) bool {
			return left[u] > 0 && !m.broken[[2]int{u, i}]
		})
		for len(jobs) > 0 {
			n := 1
			for n < len(jobs) && jobs[n].unit == jobs[0].unit {
				n++
			}
			if err := m.block(ctx, jobs[:n], left, start); err != nil {
				if ctx.Err() != nil {
					m.interrupted = true
					m.end("interrupted")
					return nil
				}
				return err
			}
			jobs = jobs[n:]
			// Only a first round far beyond the time is cut short.
			if b := m.budget.total; b > 0 && time.Since(start) > b+b/4 && len(jobs) > 0 {
				m.end("out of time")
				return nil
			}
		}
	}
	return nil
}

// end notes why the run ends in the middle of a round.
func (m *campaign) end(why string) {
	m.ended = fmt.Sprintf("%s after %d of %s", why, max(m.rounds-1, 0), report.Count(m.budget.rounds, "round"))
}

// remaining returns how many more rounds each unit gets.
func (m *campaign) remaining(elapsed time.Duration) []int {
	cost := make([]time.Duration, len(m.units))
	want := m.budget.rounds
	for i, u := range m.units {
		if m.had[i] > 0 {
			cost[i] = m.spent[i] / time.Duration(m.had[i])
			want = min(want, m.budget.rounds-m.rounds)
		} else {
			cost[i] = m.budget.guess(u)
		}
	}
	if m.budget.total == 0 || m.rounds == 0 {
		return fill(len(cost), want)
	}
	return allot(cost, want, quickRounds-m.rounds, leastRounds-m.rounds, m.budget.total-elapsed)
}

func fill(n, v int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func sum(v []int) (n int) {
	for _, x := range v {
		n += x
	}
	return n
}

// block takes the samples of one unit in one round.
func (m *campaign) block(ctx context.Context, jobs []job, left []int, start time.Time) error {
	u := jobs[0].unit
	w, from, first := watch(), time.Now(), len(m.samples)
	var own time.Duration
	for _, j := range jobs {
		m.show.at(m.units[u], m.units[u].c.Impls[j.impl].Name, m.rounds, m.budget.rounds, time.Since(start), m.timeLeft(left, time.Since(start)))
		s, cpu, err := m.sample(ctx, j)
		if err != nil {
			return err
		}
		own += cpu
		m.samples = append(m.samples, s)
		if s.failed != "" || s.skipped != "" {
			m.broken[[2]int{u, j.impl}] = true
			m.show.note(m.units[u], s)
		} else if m.units[u].c.BenchTime == "" {
			m.learn(j, s)
		}
		if _, err := io.WriteString(m.raw, m.rawLine(s)); err != nil {
			return err
		}
	}
	if w.disturbed(own) {
		for i := range m.samples[first:] {
			m.samples[first+i].disturbed = true
		}
	}
	m.spent[u] += time.Since(from)
	m.had[u]++
	left[u]--
	return nil
}

// timeLeft estimates how long the rest takes. More than the time is never left: the
// next round will have fewer cases.
func (m *campaign) timeLeft(left []int, elapsed time.Duration) (d time.Duration) {
	for i, n := range left {
		cost := m.budget.guess(m.units[i])
		if m.had[i] > 0 {
			cost = m.spent[i] / time.Duration(m.had[i])
		}
		d += time.Duration(n) * cost
	}
	if m.budget.total > 0 {
		d = min(d, max(m.budget.total-elapsed, 0))
	}
	return d
}

// sample runs one child and reads what it found.
func (m *campaign) sample(ctx context.Context, j job) (sample, time.Duration, error) {
	u := m.units[j.unit]
	im := &u.c.Impls[j.impl]
	s := sample{unit: j.unit, impl: j.impl, round: j.round}
	r := m.launch(ctx, request{u.c, im, u.cpus, m.budget.sampleTime(u.c), m.ops[[2]int{j.unit, j.impl}], m.timeout})
	if r.err != nil && strings.Contains(r.err.Error(), "signal: interrupt") {
		// Ctrl-C reached the child before it could ignore it; we hear of it soon.
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	if ctx.Err() != nil {
		return s, 0, ctx.Err()
	}
	var err error
	s.line, s.values, s.failed, s.skipped, err = parseOutput(r.stdout, lineName(u.c, im.Name, u.cpus))
	switch {
	case s.failed != "" || s.skipped != "":
	case err != nil && r.err != nil && r.stdout == "" && r.stderr == "" && r.cpu == 0:
		return s, 0, fmt.Errorf("%w: %w", errFault, r.err) // it did not even start
	case err != nil:
		s.failed = r.reason()
	case r.err != nil: // a result and then a crash: the race detector, a late panic
		s.line, s.values, s.failed = "", nil, r.reason()
	}
	if s.failed != "" {
		s.stderr = r.stderr
	}
	return s, r.cpu, nil
}

// learn notes how many ops make a sample, so that the search for that number, which
// takes about as long as the sample, is made in the first round alone.
func (m *campaign) learn(j job, s sample) {
	n := opsOf(s.line)
	took := float64(n) * s.values[result.NsPerOp]
	if n < 1 || !(took > 0) {
		return
	}
	// No single sample decides: a stolen core may have made it slow.
	fit := float64(n) * min(max(float64(m.budget.benchTime)/took, 0.5), 2)
	at := [2]int{j.unit, j.impl}
	if before := m.ops[at]; before > 0 {
		fit = math.Sqrt(fit * float64(before))
	}
	m.ops[at] = max(int(fit), 1)
}

// rawLine is what raw.txt keeps of a sample; of one that failed, also what it
// wrote to standard error, as comments.
func (m *campaign) rawLine(s sample) string {
	u := m.units[s.unit]
	name := lineName(u.c, u.c.Impls[s.impl].Name, u.cpus)
	switch {
	case s.failed != "":
		why := fmt.Sprintf("--- FAIL: %s: %q\n", name, s.failed)
		for line := range strings.Lines(s.stderr) {
			why += "# " + strings.TrimRight(line, "\r\n") + "\n"
		}
		return why
	case s.skipped != "":
		return fmt.Sprintf("--- SKIP: %s: %q\n", name, s.skipped)
	}
	return s.line + "\n"
}
