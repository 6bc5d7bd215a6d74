package main

import (
	"go.opentelemetry.io/otel/attribute"
)

// The workload: spans of an HTTP server with ten attributes, the same for all.
const (
	operation = "GET /products/{id}"
	server    = 2 // OTLP's SPAN_KIND_SERVER
)

func request() [10]Attr {
	return [...]Attr{
		String("http.request.method", "GET"),
		String("http.route", "/products/{id}"),
		String("url.path", "/products/4711"),
		String("server.address", "shop.example.com"),
		Int("server.port", 443),
		String("client.address", "192.0.2.17"),
		String("user_agent.original", "Mozilla/5.0"),
		String("network.protocol.version", "2"),
		Int("http.response.status_code", 200),
		Int("http.response.body.size", 5120),
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
func record(s *Span) {
	s.begin(operation, server)
	a := request()
	s.Set(a[:]...)
	s.finish()
}
