package pipeline

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const server = 2 // SPAN_KIND_SERVER

func record(s *Span) {
	s.Begin("GET /", server)
	s.Set(String("http.request.method", "GET"), Int("http.response.status_code", 200))
	s.Finish()
}

// What is written by hand is read back by the generated code.
func TestASpanIsEncodedAsTheGeneratedCodeReadsIt(t *testing.T) {
	attrs := []Attr{
		String("", ""), String("a", "b"), String(strings.Repeat("k", 200), strings.Repeat("v", 20_000)), String("ü", "日本"),
		Int("zero", 0), Int("one", 1), Int("least", math.MinInt64), Int("most", math.MaxInt64),
	}
	s := new(Span)
	s.Begin("operation", server)
	s.Set(attrs...)
	s.Finish()

	var got tracepb.Span
	require.NoError(t, proto.Unmarshal(s.wire, &got))
	require.Equal(t, s.id[:16], got.TraceId)
	require.Equal(t, s.id[16:], got.SpanId)
	require.Equal(t, "operation", got.Name)
	require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, got.Kind)
	require.Equal(t, s.start, got.StartTimeUnixNano)
	require.Equal(t, s.end, got.EndTimeUnixNano)
	require.LessOrEqual(t, got.StartTimeUnixNano, got.EndTimeUnixNano)
	require.Empty(t, got.ProtoReflect().GetUnknown())
	require.Len(t, got.Attributes, len(attrs))
	for i, a := range attrs {
		require.Equal(t, a.key, got.Attributes[i].Key)
		if a.isNum {
			require.Equal(t, a.num, got.Attributes[i].Value.GetIntValue(), a.key)
		} else {
			require.Equal(t, a.text, got.Attributes[i].Value.GetStringValue(), a.key)
		}
	}
	require.Zero(t, got.DroppedAttributesCount)
}

func TestAttributesWithoutRoomAreCounted(t *testing.T) {
	s := new(Span)
	s.Begin("x", server)
	for range maxAttrs + 3 {
		s.Set(Int("n", 1))
	}
	s.Set(Int("n", 1), Int("n", 2))
	s.Finish()
	var got tracepb.Span
	require.NoError(t, proto.Unmarshal(s.wire, &got))
	require.Len(t, got.Attributes, maxAttrs)
	require.EqualValues(t, 5, got.DroppedAttributesCount)
}

// A Span that is used again shows nothing of its last operation.
func TestASpanIsUsedAgainAsNew(t *testing.T) {
	s := new(Span)
	for range maxAttrs + 1 {
		s.Set(String("old", "old"))
	}
	s.Begin("old", server)
	s.Finish()
	s.Reset()
	s.Begin("new", server)
	s.Set(Int("a", 1))
	s.Finish()
	var got tracepb.Span
	require.NoError(t, proto.Unmarshal(s.wire, &got))
	require.Equal(t, "new", got.Name)
	require.Len(t, got.Attributes, 1)
	require.Zero(t, got.DroppedAttributesCount)
	require.NotContains(t, string(s.wire), "old")
	require.Empty(t, s.attrs[1].text, "strings of the last operation are let go")
}

func TestARequestIsEncodedAsTheGeneratedCodeReadsIt(t *testing.T) {
	e, err := newExporter("127.0.0.1:1", "a shop")
	require.NoError(t, err)
	defer e.conn.Close()
	for _, n := range []int{0, 1, 3, 500} { // small requests are not pooled by gRPC, large ones are
		spans := make([]*Span, n)
		for i := range spans {
			spans[i] = new(Span)
			record(spans[i])
		}
		data, err := e.Marshal(spans)
		require.NoError(t, err)
		var got coltracepb.ExportTraceServiceRequest
		require.NoError(t, proto.Unmarshal(data.Materialize(), &got))
		data.Free()
		require.Len(t, got.ResourceSpans, 1)
		require.Equal(t, "a shop", got.ResourceSpans[0].Resource.Attributes[0].Value.GetStringValue())
		scope := got.ResourceSpans[0].ScopeSpans
		require.Len(t, scope, 1)
		require.Equal(t, "poundlock/examples/otlp", scope[0].Scope.Name)
		require.Len(t, scope[0].Spans, n)
		for i, s := range scope[0].Spans {
			require.Equal(t, spans[i].id[16:], s.SpanId)
			require.Len(t, s.Attributes, 2)
		}
	}
}

func TestASpanIsRecordedWithoutAllocation(t *testing.T) {
	s := new(Span)
	require.Zero(t, testing.AllocsPerRun(100, func() { record(s); s.Reset() }))
}
