package otel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/observe"
	poundotel "github.com/poundlock/poundlock/observe/otel"
	"github.com/poundlock/poundlock/workerpool"
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

// A task's span is linked to the call that submitted it, and a batch's span to the calls
// that sent its items.
func ExampleLinked() {
	recorder := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(recorder)).Tracer("shop")
	pool, err := workerpool.New(workerpool.Config{Name: "resize"})
	if err != nil {
		fmt.Println(err)
		return
	}
	type mail struct {
		to     string
		origin poundotel.Origin
	}
	mails, err := batchchan.New(batchchan.Config[mail]{Name: "mails", MaxBatch: 3}, func(ctx context.Context, batch []mail) error {
		var origins []poundotel.Origin
		for _, m := range batch {
			origins = append(origins, m.origin)
		}
		_, span := poundotel.Linked(ctx, tracer, "send mails", nil, origins...)
		defer span.End()
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, to := range []string{"ann", "bob", "eve"} {
		ctx, request := tracer.Start(context.Background(), "request of "+to)
		origin := poundotel.OriginOf(ctx)
		if err := mails.Send(ctx, mail{to, origin}); err != nil {
			fmt.Println(err)
		}
		if err := pool.Submit(func() {
			_, span := poundotel.Linked(context.Background(), tracer, "resize for "+to, nil, origin)
			span.End()
		}); err != nil {
			fmt.Println(err)
		}
		request.End()
	}
	if err := errors.Join(pool.Close(), mails.Close()); err != nil {
		fmt.Println(err)
	}

	names := map[string]string{} // by the span's id
	for _, s := range recorder.Ended() {
		names[s.SpanContext().SpanID().String()] = s.Name()
	}
	links := map[string][]string{} // to a request, from the spans that name it
	for _, s := range recorder.Ended() {
		for _, l := range s.Links() {
			request := names[l.SpanContext.SpanID().String()]
			links[request] = append(links[request], s.Name())
		}
	}
	for _, request := range slices.Sorted(maps.Keys(links)) {
		slices.Sort(links[request])
		fmt.Println(request, links[request])
	}
	// Output:
	// request of ann [resize for ann send mails]
	// request of bob [resize for bob send mails]
	// request of eve [resize for eve send mails]
}
