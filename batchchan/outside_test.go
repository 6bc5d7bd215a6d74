package batchchan_test

import (
	"context"

	"github.com/poundlock/poundlock/batchchan"
)

// What tests from outside share; those that need no more of the package than its users
// have stand there.
var (
	bg            = context.Background()
	checkQuiet    = batchchan.CheckQuiet
	requireFailed = batchchan.RequireFailed
)

// upTo returns 0 to n-1.
func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
