package stats

import "time"

// Ratio returns part/whole, and 0 when whole is 0.
func Ratio(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Rate returns how many per second lie between two readings of a monotonic
// counter taken elapsed apart; 0 when no time passed or the counter was reset.
func Rate(earlier, later uint64, elapsed time.Duration) float64 {
	if elapsed <= 0 || later < earlier {
		return 0
	}
	return float64(later-earlier) / elapsed.Seconds()
}
