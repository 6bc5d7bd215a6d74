package runner

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

const (
	fullRounds  = 12 // the default: many short samples beat few long ones
	quickRounds = 6  // the fewest with a finite 95 % interval of the median
	leastRounds = 3  // of units so expensive that six of them would leave none for others

	fullTime   = 5 * time.Minute // unless the command says otherwise
	quickShare = 5               // the short run takes this part of it
	reportTime = 4 * time.Second // and start

	goodBenchTime = 10 * time.Millisecond // shorter samples show how things warm up
	fullMaxTime   = 100 * time.Millisecond
	quickMaxTime  = 30 * time.Millisecond
	perProcess    = 8 * time.Millisecond // start and end of a child
	rampFactor    = 1.4                  // warming up; in the first round also the search for N
	unknownSample = 250 * time.Millisecond
)

// budget decides how long samples are and how many rounds each unit gets. With
// -rounds nothing is cut; else the first round shows what each unit really costs,
// and the most expensive ones get fewer rounds when the time would not do.
type budget struct {
	total     time.Duration // 0: unbounded
	rounds    int
	benchTime time.Duration
}

func newBudget(us []unit, o *options) budget {
	full := cmp.Or(o.full, fullTime)
	b := budget{total: full - reportTime, rounds: fullRounds, benchTime: fullMaxTime}
	if o.quick {
		b = budget{total: full/quickShare - reportTime, rounds: quickRounds, benchTime: quickMaxTime}
	}
	if o.rounds > 0 {
		b.rounds = o.rounds
	}
	if o.benchTime > 0 {
		b.benchTime = o.benchTime
	} else {
		var fixed time.Duration // per round, whatever the bench time
		free := 0               // samples per round that take the common bench time
		for _, u := range us {
			n := len(u.c.Impls)
			fixed += time.Duration(n) * perProcess
			if u.c.BenchTime == "" {
				free += n
			} else {
				fixed += time.Duration(n) * guessSample(u.c.BenchTime)
			}
		}
		if free > 0 {
			left := b.total/time.Duration(b.rounds) - fixed
			each := time.Duration(float64(left) / rampFactor / float64(free))
			b.benchTime = max(goodBenchTime, min(each, b.benchTime)).Round(100 * time.Microsecond)
		}
	}
	if o.rounds > 0 {
		b.total = 0
	}
	return b
}

func guessSample(benchTime string) time.Duration {
	if d, err := time.ParseDuration(benchTime); err == nil {
		return time.Duration(float64(d) * rampFactor)
	}
	return unknownSample
}

// guess is the expected cost of one round of a unit before it was measured.
func (b budget) guess(u unit) time.Duration {
	each := time.Duration(float64(b.benchTime) * rampFactor)
	if u.c.BenchTime != "" {
		each = guessSample(u.c.BenchTime)
	}
	return time.Duration(len(u.c.Impls)) * (each + perProcess)
}

// sampleTime is the test.benchtime of a case.
func (b budget) sampleTime(c *compare.Case) string {
	if c.BenchTime != "" {
		return c.BenchTime
	}
	return b.benchTime.String()
}

// validBenchTime says whether testing accepts it: a duration or a count.
func validBenchTime(s string) bool {
	if n, ok := strings.CutSuffix(s, "x"); ok {
		v, err := strconv.Atoi(n)
		return err == nil && v > 0
	}
	d, err := time.ParseDuration(s)
	return err == nil && d > 0
}

// allot spreads the time left over units that cost[i] per round: each gets up to
// want rounds. When that is too much the most expensive units are cut first, to
// least rounds. Where those would take more than their share of the time, which
// keeps all others from having enough, they fall to fewest; when even that is too
// much for the time, down to none.
func allot(cost []time.Duration, want, least, fewest int, left time.Duration) []int {
	rounds := make([]int, len(cost))
	fill := func(limit time.Duration, least int) (sum time.Duration) {
		for i, c := range cost {
			n := want
			if c > 0 {
				n = min(want, int(limit/c))
			}
			rounds[i] = max(n, min(least, want))
			sum += time.Duration(rounds[i]) * c
		}
		return sum
	}
	const share = 0.6
	for least = min(least, want); least > 0; least-- {
		if need := fill(0, least); need <= left && (least <= fewest || float64(need) <= share*float64(left)) {
			break
		}
	}
	var most time.Duration
	for _, c := range cost {
		most = max(most, c*time.Duration(want))
	}
	if fill(most, least) <= left {
		return rounds
	}
	lo, hi := time.Duration(0), most // fill(lo) fits, fill(hi) does not
	for hi-lo > time.Millisecond {
		mid := lo + (hi-lo)/2
		if fill(mid, least) <= left {
			lo = mid
		} else {
			hi = mid
		}
	}
	fill(lo, least)
	return rounds
}
