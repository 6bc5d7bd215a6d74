package main

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

// The workload: spans of an HTTP server with ten attributes, the same for all.
const (
	operation = "GET /products/{id}"
	server    = 2 // OTLP's SPAN_KIND_SERVER
)

func request() [10]pipeline.Attr {
	return [...]pipeline.Attr{
		pipeline.String("http.request.method", "GET"),
		pipeline.String("http.route", "/products/{id}"),
		pipeline.String("url.path", "/products/4711"),
		pipeline.String("server.address", "shop.example.com"),
		pipeline.Int("server.port", 443),
		pipeline.String("client.address", "192.0.2.17"),
		pipeline.String("user_agent.original", "Mozilla/5.0"),
		pipeline.String("network.protocol.version", "2"),
		pipeline.Int("http.response.status_code", 200),
		pipeline.Int("http.response.body.size", 5120),
	}
}

func sdkRequest() [10]attribute.KeyValue {
	return [...]attribute.KeyValue{
		attribute.String("http.request.method", "GET"),
		attribute.String("http.route", "/products/{id}"),
		attribute.String("url.path", "/products/4711"),
		attribute.String("server.address", "shop.example.com"),
		attribute.Int("server.port", 443),
		attribute.String("client.address", "192.0.2.17"),
		attribute.String("user_agent.original", "Mozilla/5.0"),
		attribute.String("network.protocol.version", "2"),
		attribute.Int("http.response.status_code", 200),
		attribute.Int("http.response.body.size", 5120),
	}
}

// record makes s the span of a request, encoded.
func record(s *pipeline.Span) {
	s.Begin(operation, server)
	a := request()
	s.Set(a[:]...)
	s.Finish()
}
