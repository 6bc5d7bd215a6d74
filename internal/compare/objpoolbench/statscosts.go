package objpoolbench

import (
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/objpool"
)

// statsEvery is a thousand times as often as a monitoring system asks.
const statsEvery = time.Millisecond

// statsCosts are the cases of what it costs the users of a pool that somebody reads
// its Stats; counting itself cannot be switched off.
func statsCosts() []compare.Case {
	impl := func(name, config string, read bool) compare.Impl {
		return compare.Impl{Name: name, Config: config, Bench: func(b *testing.B) {
			var m maker
			p := objpool.Must(objpool.New(objpool.Config[*Object]{New: m.make, Max: Room}))
			stop, stopped := make(chan struct{}), make(chan struct{})
			b.ResetTimer()
			go func() {
				defer close(stopped)
				tick := time.NewTicker(statsEvery)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						if read {
							if s := p.Stats(); s.Check() != nil {
								b.Error(s.Check())
							}
						}
					}
				}
			}()
			split(b.N, goroutinesOr(0), func(n int) {
				for range n {
					o := p.Get()
					o.Uses++
					p.Put(o)
				}
			})
			b.StopTimer()
			close(stop)
			<-stopped
			m.check(b, b.N)
			if s := p.Stats(); s.Gets != uint64(b.N) || s.Puts != uint64(b.N) {
				b.Fatalf("Stats say %d Gets and %d Puts, there were %d", s.Gets, s.Puts, b.N)
			}
		}}
	}
	return []compare.Case{newCase("stats/every=1ms",
		"One op is a Get and a Put by one goroutine per P, while somebody reads Stats every millisecond, or just wakes up.",
		[]compare.Impl{
			impl("poundlock", "Stats every millisecond", true),
			impl("quiet", "the same timer, no Stats", false),
		})}
}
