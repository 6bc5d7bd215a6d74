//go:build gc && go1.26 && !go1.28 && !poundlock_portable

// This file is empty on purpose: it lets the package declare a function without a
// body, which go:linkname fills in.
