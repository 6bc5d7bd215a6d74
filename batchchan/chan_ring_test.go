package batchchan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChanTickets(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 64, 100} {
		var r ring[int]
		r.init(n)
		ticket := uint64(0)
		for i := range 5 * n {
			require.EqualValues(t, i, r.count(ticket))
			far := ticket
			for k := range n + 1 {
				require.Equal(t, far, r.plus(ticket, k), "cap %d: %d plus %d", n, ticket, k)
				far = r.after(far)
			}
			ticket = r.after(ticket)
		}
	}
}
