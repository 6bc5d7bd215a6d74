//go:build race

package locks

import (
	"runtime"
	"unsafe"
)

// The locks' own atomics would order everything before everything for the race
// detector: two readers that write under RLock would look ordered by the state
// word that both add to. So, as in package sync, synchronisation is ignored
// inside the locks and the edges that a lock promises are declared one by one.
// Plain fields of the slow paths, ordered by the ignored atomics, are then
// touched only in functions marked go:norace.
const raceEnabled = true

func raceRead(p unsafe.Pointer)         { runtime.RaceRead(p) }
func raceAcquire(p unsafe.Pointer)      { runtime.RaceAcquire(p) }
func raceRelease(p unsafe.Pointer)      { runtime.RaceRelease(p) }
func raceReleaseMerge(p unsafe.Pointer) { runtime.RaceReleaseMerge(p) }
func raceDisable()                      { runtime.RaceDisable() }
func raceEnable()                       { runtime.RaceEnable() }
