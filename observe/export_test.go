package observe

import "io"

// HelpTexts are the texts that helpgen wrote.
var HelpTexts = helpTexts

// What tests of the inside look at.
var (
	ContainerMemoryOf = containerMemory
	GoroutineSites    = goroutineSites
	CreatedBy         = createdBy
	Middle            = middle
	RuntimeMetrics    = runtimeMetrics
	HeldBack          = heldBack
	Grown             = grown
)

// SetCreate makes c write through a function instead of to files.
func (c *Captures) SetCreate(create func(name string) (io.WriteCloser, error)) {
	c.store.create = create
}
