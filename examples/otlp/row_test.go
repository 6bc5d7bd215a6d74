package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARowSaysWhatWasMeasured(t *testing.T) {
	for _, c := range []struct {
		r        row
		measured string
		verdict  string
	}{
		{row{Claim: "2 x", low: 2, Before: []float64{40, 30, 1000}, After: []float64{10, 10, 10}}, "4.0 x", "holds"},
		{row{Claim: "2 x", low: 2, Before: []float64{11, 12}, After: []float64{10, 10}}, "1.1 x", "UNTRUE"},
		{row{Before: []float64{11}, After: []float64{10}}, "1.1 x", ""},
		{row{Claim: "2 x", low: 2, more: true, Before: []float64{10}, After: []float64{50}}, "5.0 x", "holds"},
		{row{Claim: "2 x", low: 2, more: true, Before: []float64{50}, After: []float64{10}}, "0.2 x", "UNTRUE"},
		{row{Claim: "90 %", low: 90, share: true, Before: []float64{100}, After: []float64{10}}, "90 %", "holds"},
		{row{Claim: "90 %", low: 90, share: true, Before: []float64{100}, After: []float64{11}}, "89 %", "UNTRUE"},
		{row{Claim: "0 lost", none: true, Before: []float64{7}, After: []float64{0}}, "", "holds"},
		{row{Claim: "0 lost", none: true, Before: []float64{7}, After: []float64{1}}, "7.0 x", "UNTRUE"},
		{row{Claim: "2 x", low: 2}, "", "UNTRUE"},
	} {
		require.Equal(t, c.measured, c.r.Measured(), "%+v", c.r)
		require.Equal(t, c.verdict, c.r.Verdict(), "%+v", c.r)
	}
}

func TestTheTableSaysWhatIsUntrue(t *testing.T) {
	var out bytes.Buffer
	section{Title: "Claims", Before: "without", After: "with", Rows: []*row{
		{What: "pool", Figure: "ns", Claim: "2-3 x", low: 2, Why: "Small objects are cheap.", Before: []float64{13}, After: []float64{12}},
		{What: "pool", Figure: "bytes", Claim: "90 %", low: 90, share: true, Before: []float64{12_345_678}, After: []float64{0.123}},
	}}.print(&out)
	require.Equal(t, `
Claims

                              claim        without       with   better
pool         ns               2-3 x             13         12    1.1 x UNTRUE
             bytes            90 %         12.35 M       0.12    100 % holds

pool, ns: claimed 2-3 x, measured 1.1 x.
  Small objects are cheap.
`, out.String())
}
