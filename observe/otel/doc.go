// Package otel hands what is in an [observe.Registry] to the OpenTelemetry SDK, and carries
// traces through pools and batches.
//
//	producer := poundotel.NewProducer(&reg, poundotel.Config{})
//	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(producer))
//	provider := metric.NewMeterProvider(metric.WithReader(reader))
//
// It is a Producer, because the SDK's asynchronous instruments carry no histograms.
// Distributions become exponential histograms.
//
// # Names
//
// A metric's name is the kind of its source and the field: "poundlock.workerpool.queue_wait",
// in seconds, with the attribute "name". With [Config.DBSystem] the readings of
// connpool follow the semantic conventions for database clients
// (db.client.connection.*), which are still in development. With [Config.HTTP] the readings
// of observe/httpstats follow those for HTTP: http.server.request.duration and
// http.client.request.duration with a point for each method and status that there was.
//
// # Traces
//
// A task that waits in a queue runs long after the call that submitted it, so its span is
// not the caller's child: it has a link to it. [Linked] makes such a span, for one
// task or for a batch of items. Programs that do not call it pay nothing.
//
// When not to use it: a program that Prometheus scrapes needs observe/prometheus, or less.
package otel
