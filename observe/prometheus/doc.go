// Package prometheus hands what is in an [observe.Registry] to a registry of
// github.com/prometheus/client_golang, for programs that have metrics of their own there.
//
//	prometheus.MustRegister(poundprom.New(&reg, poundprom.Config{}))
//
// The metrics are those of [observe.Registry.WriteText], with one more form: histograms
// have classic and native buckets, and the scrape decides which it takes. Sources
// that are added later appear, and those removed disappear.
//
// When not to use it: a program without client_golang needs no more than WriteText, or the
// handler of observe/debug.
package prometheus
