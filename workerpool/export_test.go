package workerpool

// White-box hooks for the tests of package workerpool_test.
const MinInterval = minInterval
