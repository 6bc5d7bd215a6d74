package otel_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/poundlock/poundlock/observe"
	poundotel "github.com/poundlock/poundlock/observe/otel"
)

func ExampleNewProducer() {
	var reg observe.Registry
	if _, err := observe.AddFunc(&reg, "app", "main", func() (s struct {
		Jobs uint64 `json:"jobs"`
	},
	) {
		s.Jobs = 3
		return s
	}); err != nil {
		fmt.Println(err)
		return
	}
	reader := metric.NewManualReader(metric.WithProducer(poundotel.NewProducer(&reg, poundotel.Config{})))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(context.Background())

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		fmt.Println(err)
		return
	}
	m := all.ScopeMetrics[0].Metrics[0]
	fmt.Println(m.Name, m.Data.(metricdata.Sum[float64]).DataPoints[0].Value)
	// Output: app.jobs 3
}
