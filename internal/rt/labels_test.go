package rt

import (
	"context"
	"runtime/pprof"
	"testing"
)

func TestLabelsChangeWhereTheyAreSet(t *testing.T) {
	if !SeesLabels {
		if Labels() != nil {
			t.Error("in this build there is nothing to see")
		}
		t.Skip("this build uses the portable twin")
	}
	before := Labels()
	pprof.Do(context.Background(), pprof.Labels("a", "b"), func(ctx context.Context) {
		inside := Labels()
		if inside == before || inside == nil {
			t.Errorf("Labels() = %p with labels and %p without", inside, before)
		}
		pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("a", "c")))
		if Labels() == inside {
			t.Error("Labels() is the same after another SetGoroutineLabels")
		}
		pprof.SetGoroutineLabels(ctx)
		if Labels() != inside {
			t.Error("Labels() is another after a return to the same labels")
		}
	})
	if Labels() != before {
		t.Error("Labels() is another after the labels were taken back")
	}
}
