package prometheus_test

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/poundlock/poundlock/observe"
	poundprom "github.com/poundlock/poundlock/observe/prometheus"
)

func ExampleNew() {
	var reg observe.Registry
	if _, err := observe.AddFunc(&reg, "app", "main", func() (s struct {
		Jobs uint64 `json:"jobs" help:"Jobs that ended."`
	},
	) {
		s.Jobs = 3
		return s
	}); err != nil {
		fmt.Println(err)
		return
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(poundprom.New(&reg, poundprom.Config{}))
	families, err := metrics.Gather()
	fmt.Println(families[0].GetName(), families[0].Metric[0].Counter.GetValue(), err)
	// Output: app_jobs_total 3 <nil>
}
