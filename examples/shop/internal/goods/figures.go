package goods

import (
	"encoding/json"
	"net/http"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Trips counts a server's round trips to what is behind it.
type Trips struct {
	Queries  atomic.Uint64 // statements sent to the database
	Commands atomic.Uint64 // commands, or pipelines of them, sent to Redis
}

// Figures are what a server process has used so far. Two readings make the cost of
// the requests in between.
type Figures struct {
	CPU      time.Duration `json:"cpu_ns"`  // of the process, in user and in system mode
	Bytes    uint64        `json:"bytes"`   // allocated
	Objects  uint64        `json:"objects"` // allocated
	GCCycles uint64        `json:"gc"`      // garbage collections
	Queries  uint64        `json:"queries"`
	Commands uint64        `json:"commands"`
	Routines uint64        `json:"goroutines"` // now
}

// Now reads the figures.
func (t *Trips) Now() Figures {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/allocs:objects"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(s)
	return Figures{
		CPU: cpuTime(), Bytes: s[0].Value.Uint64(), Objects: s[1].Value.Uint64(),
		GCCycles: s[2].Value.Uint64(), Routines: s[3].Value.Uint64(),
		Queries: t.Queries.Load(), Commands: t.Commands.Load(),
	}
}

// ServeHTTP answers with the figures.
func (t *Trips) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(t.Now())
}
