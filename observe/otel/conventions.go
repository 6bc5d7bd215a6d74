package otel

import (
	"iter"
	"net"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// convention is what the semantic conventions (version 1.43) call a field.
type convention struct{ name, unit, state string }

// dbConventions are those for database clients, by the name of connpool's field.
var dbConventions = map[string]*convention{
	"idle":      {"db.client.connection.count", "{connection}", "idle"},
	"in_use":    {"db.client.connection.count", "{connection}", "used"},
	"max_open":  {"db.client.connection.max", "{connection}", ""},
	"waiting":   {"db.client.connection.pending_requests", "{request}", ""},
	"timeouts":  {"db.client.connection.timeouts", "{timeout}", ""},
	"dial_time": {"db.client.connection.create_time", "s", ""},
	"wait_time": {"db.client.connection.wait_time", "s", ""},
	"use_time":  {"db.client.connection.use_time", "s", ""},
}

// httpConventions are those for HTTP, by kind and field.
var httpConventions = map[string]map[string]*convention{
	"poundlock_http_server": {
		"duration":  {"http.server.request.duration", "s", ""},
		"in_flight": {"http.server.active_requests", "{request}", ""},
	},
	"poundlock_http_client": {
		"duration":  {"http.client.request.duration", "s", ""},
		"in_flight": {"http.client.active_requests", "{request}", ""},
	},
}

// convention returns what the conventions that are in use call a value, and its attributes,
// or nil.
func (p *Producer) convention(rd *observe.Reading, v *observe.Value) (*convention, []attribute.KeyValue) {
	if p.cfg.DBSystem != "" && rd.Kind == "poundlock_connpool" {
		c := dbConventions[v.Name]
		if c == nil {
			return nil, nil
		}
		attrs := []attribute.KeyValue{
			attribute.String("db.client.connection.pool.name", rd.Name),
			attribute.String("db.system.name", p.cfg.DBSystem),
		}
		if c.state != "" {
			attrs = append(attrs, attribute.String("db.client.connection.state", c.state))
		}
		return c, attrs
	}
	if p.cfg.HTTP {
		if c := httpConventions[rd.Kind][v.Name]; c != nil {
			if rd.Kind == "poundlock_http_client" {
				return c, clientAttributes(rd.Name)
			}
			return c, serverAttributes(rd.Name)
		}
	}
	return nil, nil
}

// partsOf returns the parts of the durations of HTTP requests, or nil.
func partsOf(rd *observe.Reading, v *observe.Value) iter.Seq[httpstats.Part] {
	if s, ok := rd.Stats.(interface {
		Parts() iter.Seq[httpstats.Part]
	}); ok && v.Name == "duration" {
		return s.Parts()
	}
	return nil
}

// partAttributes returns what the requests of a part have in common. It comes after, and
// instead of, what the pattern of the route says: "GET /x" serves HEAD, too.
func partAttributes(kind string, p httpstats.Part) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String("http.request.method", p.Method)}
	wrong := 400
	if kind == "poundlock_http_server" {
		wrong = 500 // below, it is the client's error
		scheme := "http"
		if p.TLS {
			scheme = "https"
		}
		attrs = append(attrs, attribute.String("url.scheme", scheme))
	}
	switch {
	case p.Status == 0:
		return append(attrs, attribute.String("error.type", "_OTHER"))
	case p.Status >= wrong:
		attrs = append(attrs, attribute.String("error.type", strconv.Itoa(p.Status)))
	}
	return append(attrs, attribute.Int("http.response.status_code", p.Status))
}

// serverAttributes reads the name of an instrument of httpstats.Server, which is the Name
// of the server, if it has one, and a pattern of http.ServeMux: "api GET example.org/items/{id}".
// What is no pattern is a route as a whole.
func serverAttributes(name string) []attribute.KeyValue {
	i := strings.IndexByte(name, '/')
	if i < 0 {
		return []attribute.KeyValue{attribute.String("http.route", name)}
	}
	server, host := "", name[:i]
	if j := strings.LastIndexByte(host, ' '); j >= 0 {
		server, host = strings.TrimRight(host[:j], " "), host[j+1:]
	}
	attrs := []attribute.KeyValue{attribute.String("http.route", host+name[i:])}
	method := server[strings.LastIndexByte(server, ' ')+1:]
	if method != "" && method == strings.ToUpper(method) {
		server = strings.TrimRight(strings.TrimSuffix(server, method), " ")
		attrs = append(attrs, attribute.String("http.request.method", method))
	}
	if server != "" {
		attrs = append(attrs, attribute.String("name", server))
	}
	return attrs
}

// clientAttributes reads the name of an instrument of httpstats.Client, which is the Name of
// the client, if it has one, and a host with or without a port.
func clientAttributes(name string) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	if i := strings.LastIndexByte(name, ' '); i >= 0 {
		attrs = append(attrs, attribute.String("name", name[:i]))
		name = name[i+1:]
	}
	if host, port, err := net.SplitHostPort(name); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			return append(attrs, attribute.String("server.address", host), attribute.Int("server.port", n))
		}
	}
	return append(attrs, attribute.String("server.address", name))
}
