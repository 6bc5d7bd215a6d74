// Package observe shows what pools, queues and locks do: one line per instrument
// makes it visible to Prometheus, to OpenTelemetry, in expvar, in slog and on a
// page.
//
// A [Registry] holds sources under names. A source is anything with a Stats method
// that returns a struct: each type of poundlock, *sql.DB, and types of your own.
//
//	var reg observe.Registry
//	remove, err := observe.Add(&reg, "orders", pool)
//
// The registry reads its sources when somebody asks. Between two readings nothing
// runs, and the sources pay nothing.
//
//   - [Registry.WriteText] and [Registry.WriteOpenMetrics] write what Prometheus scrapes.
//   - [Registry.WriteJSON] writes all Stats as JSON, and a *Registry is an expvar.Var.
//   - A *Registry is a slog.LogValuer: slog.Info("state", "pools", &reg).
//   - [Registry.All] yields every value, for an exporter of your own.
//   - Packages observe/prometheus and observe/otel, modules of their own, hand the
//     same values to client_golang and to OpenTelemetry.
//   - Package observe/debug serves a live page. It needs net/http; this package
//     does not.
//   - Package observe/httpstats adds HTTP requests by route and by host.
//
// The package has more than the registry:
//
//   - [Runtime] is a source about the Go runtime. [Advise] says what to change about
//     memory and garbage collection, and [LeakWatch] finds leaks.
//   - [Watcher] checks rules and takes profiles when one is broken.
//   - [Captures] is the bounded directory that the profiles go to.
//
// # What becomes of a field
//
// Every exported field of the Stats struct is one metric, by its type:
//
//   - an unsigned integer only grows: a counter. A named unsigned type with methods
//     is a state: a gauge.
//   - a signed integer, a float or a bool goes up and down: a gauge.
//   - a time.Duration is a gauge in seconds, and a counter where its JSON name ends
//     in "_time_ns".
//   - a time.Time is a gauge in seconds since 1970, 0 for the zero time.
//   - a [Latency] is a distribution: a histogram where the source has a Histograms
//     method (see [Distributed]), a summary where it has none.
//   - a struct of counters is one counter with a label "reason"; the fields of
//     any other struct get the struct's name before their own.
//
// Strings, slices, maps and fields tagged json:"-" are no metrics. Names come from
// the JSON tags, or else from the field's name. Names that end in "_bytes" are in
// bytes; a float called rate, ratio, usage, utilization, fill, share or contention is a ratio.
// Where the type misleads, a tag decides: `metric:"counter"`, `metric:"gauge"` or
// `metric:"-"`; `help:"text"` gives the metric its help text.
//
// The metric's name is the kind of the source, the field and its unit:
// poundlock_workerpool_queue_wait_seconds{name="orders"}. The kind is made of the
// package and the name of the Stats type, without "Stats": that of sql.DBStats is
// sql_db, that of shop.MailerStats is shop_mailer. [AddFunc] takes a kind of your choice.
//
// # When not to use it
//
// To read one counter in your own code, call Stats. To count events of your
// application, use the client library of your monitoring system.
//
// # Cost
//
// Reading 100 instruments takes well below a millisecond. A reading allocates
// nothing that grows with the number of instruments' buckets.
package observe
