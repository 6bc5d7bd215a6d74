//go:build !race

package locks

import "unsafe"

const raceEnabled = false

func raceRead(unsafe.Pointer)         {}
func raceAcquire(unsafe.Pointer)      {}
func raceRelease(unsafe.Pointer)      {}
func raceReleaseMerge(unsafe.Pointer) {}
func raceDisable()                    {}
func raceEnable()                     {}
