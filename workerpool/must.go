package workerpool

// Must returns v, or panics if err is not nil: for pools made from constants,
//
//	var pool = workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 8}))
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
