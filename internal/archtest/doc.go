// Package archtest holds the tests of how the repository is put together: what
// each package may import, what the root module may require, and that tests do
// not wait by the clock. It has no code of its own.
package archtest
