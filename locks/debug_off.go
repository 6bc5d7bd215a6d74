//go:build !poundlock_debug

package locks

const debugEnabled = false

// debugMark takes no space in a lock.
type debugMark struct{}

func (debugMark) hush()        {}
func (debugMark) hushed() bool { return true }

func debugWant(_, _ any, _ bool) (stop func())  { return func() {} }
func debugWantUpgrade(_ *RWMutex) (stop func()) { return func() {} }
func debugWatch(_, _ any) (stop func())         { return func() {} }
func debugAsk(_ any, _ bool)                    {}
func debugTried(_ *bool, _, _ any, _ bool)      {}
func debugGot(_ *bool, _, _ any, _ bool)        {}
func debugConverted(_ *RWMutex, _ bool)         {}
func debugReleased(_ any, _ bool)               {}
