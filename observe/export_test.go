package observe

// HelpTexts are the texts that helpgen wrote.
var HelpTexts = helpTexts

// What tests of the inside look at.
var (
	ContainerMemoryOf = containerMemory
	GoroutineSites    = goroutineSites
	CreatedBy         = createdBy
	Middle            = middle
	RuntimeMetrics    = runtimeMetrics
)
