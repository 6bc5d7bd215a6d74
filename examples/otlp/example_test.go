package main

import "os"

// A claim, what was measured without and with, and whether it holds.
func Example() {
	section{Title: "Batching", Before: "without", After: "with", Rows: []*row{
		{What: "batch", Figure: "calls a span", Claim: "90 %", low: 90, share: true, Before: []float64{1}, After: []float64{0.01}},
	}}.print(os.Stdout)
	// Output:
	// Batching
	//
	//                               claim        without       with   better
	// batch        calls a span     90 %               1       0.01     99 % holds
}
