// Package debug serves a live page about all that is in an [observe.Registry]: a card per
// instrument with rate, queue, wait and errors over the last minute, and in words
// what is bad about them. Beside it are the metrics as text and JSON, the profiles
// of package pprof, and captures.
//
//	http.Handle("/debug/poundlock/", debug.Handler(&reg))
//
// The handler may be mounted anywhere, under any path, by any router. It puts nothing on
// http.DefaultServeMux: it uses neither net/http/pprof nor expvar, which would. In a program
// that uses expvar, publish the registry there.
//
// Keep it off public addresses. It shows a program's inside, and a profile costs
// the program time. Mount it on a listener of its own, such as 127.0.0.1:6060, behind what
// protects your other internal pages, or set [Config.Token].
//
// # Paths
//
//	GET  .                  the page
//	GET  events             what the page shows, as server-sent events
//	GET  metrics            text for Prometheus, or OpenMetrics where the client asks for it
//	GET  json               all Stats as JSON
//	GET  pprof/             the profiles; pprof/profile?seconds=5 is the CPU's, pprof/trace?seconds=1 a trace
//	GET  captures/          the captured files as JSON; captures/NAME is one of them
//	GET  captures/status    what is being captured
//	POST captures/start     begins a capture: why=TEXT, seconds=N, profile=NAME (more than once)
//	POST captures/stop      cuts it short
//
// # Cost
//
// The registry is sampled once a second while somebody looks, and for a minute
// afterwards. The sample is shared by all who look.
package debug
