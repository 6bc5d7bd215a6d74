package result

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	assert.Equal(t, 2.0, Median([]float64{3, 1, 2}))
	assert.Equal(t, 2.5, Median([]float64{4, 1, 2, 3}))
	assert.True(t, math.IsNaN(Median(nil)))
	in := []float64{3, 1, 2}
	Median(in)
	assert.Equal(t, []float64{3, 1, 2}, in, "the argument is left alone")
}

// Against values worked out by hand: with 6 pairs the 95 % interval of the median
// is the whole range, with 12 it goes from the 3rd to the 10th.
func TestPairedKnownValues(t *testing.T) {
	ones := func(n int) (v []float64) {
		for range n {
			v = append(v, 1)
		}
		return v
	}
	r := Paired(ones(6), []float64{6, 1, 2, 5, 3, 4})
	lo, hi, ok := r.Interval()
	require.True(t, ok)
	assert.Equal(t, []float64{3.5, 1, 6}, []float64{r.Value, lo, hi})

	r = Paired(ones(12), []float64{12, 1, 11, 2, 10, 3, 9, 4, 8, 5, 7, 6})
	lo, hi, ok = r.Interval()
	require.True(t, ok)
	assert.Equal(t, []float64{6.5, 3, 10}, []float64{r.Value, lo, hi})

	// Two samples of four that do not overlap: p is 2 of C(8,4) = 70.
	r = Paired([]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8})
	assert.InDelta(t, 2.0/70, r.P, 1e-12)
	_, _, ok = r.Interval()
	assert.False(t, ok, "four pairs have no finite interval")
	assert.Nil(t, r.Lo)
}

// The load of the machine changes threefold, the pairs stay 1 to 2.
func TestPairedCancelsDrift(t *testing.T) {
	var mine, base []float64
	for i := range 12 {
		load := 1 + float64(i%3)
		mine, base = append(mine, 10*load), append(base, 20*load)
	}
	r := Paired(mine, base)
	assert.Equal(t, 2.0, r.Value)
	assert.Equal(t, 2.0, *r.Lo)
	assert.Equal(t, 2.0, *r.Hi)
}

func TestPairedWithoutPairs(t *testing.T) {
	nan := math.NaN()
	assert.Nil(t, Paired(nil, nil))
	assert.Nil(t, Paired([]float64{0, 0}, []float64{0, 1}))
	assert.Nil(t, Paired([]float64{1, nan}, []float64{nan, 1}), "rounds that only one took part in")
	assert.Nil(t, Paired([]float64{1}, []float64{math.Inf(1)}))
	assert.Equal(t, 3.0, Paired([]float64{nan, 1, 2}, []float64{5, 3}).Value)
}
