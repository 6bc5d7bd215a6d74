package observe_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/lockfree"
	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/objpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
	"github.com/poundlock/poundlock/workerpool"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// fixed is a source of zeros.
type fixed[S any] struct{}

func (fixed[S]) Stats() (s S) { return s }

// docs/metrics.md lists every metric of poundlock. It is made from the code:
//
//	go test ./observe -run TestMetricsReference -update
func TestMetricsReferenceIsFresh(t *testing.T) {
	var r observe.Registry
	add(t, &r, "x", fixed[workerpool.Stats]{})
	add(t, &r, "x", fixed[workerpool.ViewStats]{})
	add(t, &r, "x", fixed[batchchan.Stats]{})
	add(t, &r, "x", fixed[batchchan.KeyedStats]{})
	add(t, &r, "x", fixed[batchchan.ChanStats]{})
	add(t, &r, "x", fixed[locks.RWStats]{})
	add(t, &r, "x", fixed[locks.SpinStats]{})
	add(t, &r, "x", fixed[locks.KeyedStats]{})
	add(t, &r, "x", fixed[lockfree.Stats]{})
	add(t, &r, "x", fixed[objpool.Stats]{})
	add(t, &r, "x", fixed[connpool.Stats]{})
	add(t, &r, "x", fixed[connpool.KeyedStats]{})
	add(t, &r, "x", fixed[observe.RuntimeStats]{})
	add(t, &r, "x", fixed[observe.WatcherStats]{})
	add(t, &r, "x", fixed[httpstats.ServerStats]{})
	add(t, &r, "x", fixed[httpstats.ClientStats]{})

	var b strings.Builder
	b.WriteString("# Metrics\n\nMade from the code by `go test ./observe -run TestMetricsReference -update`. Each metric has the\n" +
		"label `name`, the name under which its source was added. A distribution is a\nhistogram where the source gives its distributions out, and a summary otherwise.\n")
	for rd := range r.All(t.Context()) {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | kind | |\n|---|---|---|\n", rd.Kind)
		for i := 0; i < len(rd.Values); i++ {
			v := rd.Values[i]
			help := v.Help
			if v.Reason != "" {
				reasons := []string{v.Reason}
				for i+1 < len(rd.Values) && rd.Values[i+1].Metric == v.Metric {
					i++
					reasons = append(reasons, rd.Values[i].Reason)
				}
				help += "; label `reason`: " + strings.Join(reasons, ", ")
			}
			fmt.Fprintf(&b, "| `%s_%s` | %s | %s |\n", rd.Kind, v.Metric, v.Kind, strings.ReplaceAll(help, "|", "\\|"))
		}
	}
	const file = "../docs/metrics.md"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, string(text) == b.String(), "docs/metrics.md is stale: go test ./observe -run TestMetricsReference -update")
}
