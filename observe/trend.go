package observe

import "math"

// Trend tells steady growth from noise, a step, a saw and a warm-up. It holds the
// last points of a series, 60 unless Points says otherwise. The zero value is
// ready. It is not safe for concurrent use.
//
// A series grows when two tests agree. The test of Mann and Kendall asks of all
// pairs of points which is larger, and wants an answer that chance gives once in
// 2000 series without a trend. A step passes it, and so does growth that has
// ended; therefore each quarter of the points must also add a tenth of the whole
// growth to the one before.
type Trend struct {
	Points int // how many are held, at least 12; 0: 60

	ring []float64
	next int // where the next point goes, once the ring is full
}

// Add adds a point, and forgets the oldest if there are Points.
func (t *Trend) Add(v float64) {
	size := t.size()
	if len(t.ring) < size {
		t.ring = append(t.ring, v)
		return
	}
	t.ring[t.next] = v
	t.next = (t.next + 1) % size
}

// Reset forgets all points.
func (t *Trend) Reset() { t.ring, t.next = t.ring[:0], 0 }

func (t *Trend) size() int {
	if t.Points == 0 {
		return 60
	}
	return max(t.Points, 12)
}

// Growth says whether the series grows steadily, and from what to what: the means
// of the first and the last quarter. It does so only when all points are there.
func (t *Trend) Growth() (from, to float64, steady bool) {
	n := len(t.ring)
	if n < t.size() {
		return 0, 0, false
	}
	v := append(t.ring[t.next:n:n], t.ring[:t.next]...)
	q := n / 4
	quarters := [4]float64{mean(v[:q]), mean(v[q : 2*q]), mean(v[2*q : n-q]), mean(v[n-q:])}
	from, to = quarters[0], quarters[3]
	for i := range 3 {
		if quarters[i+1]-quarters[i] <= (to-from)/10 || to <= from {
			return from, to, false
		}
	}
	const oneIn2000 = 3.3 // standard deviations
	return from, to, kendall(v) > oneIn2000
}

// kendall returns the statistic of Mann and Kendall in standard deviations, with
// their correction for ties.
func kendall(v []float64) float64 {
	sum := 0
	ties := map[float64]int{}
	for i, a := range v {
		ties[a]++
		for _, b := range v[i+1:] {
			switch {
			case b > a:
				sum++
			case b < a:
				sum--
			}
		}
	}
	term := func(n int) float64 { return float64(n) * float64(n-1) * float64(2*n+5) }
	variance := term(len(v))
	for _, n := range ties {
		variance -= term(n)
	}
	if variance <= 0 || sum <= 0 {
		return 0
	}
	return float64(sum-1) / math.Sqrt(variance/18)
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
