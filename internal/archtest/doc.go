// Package archtest holds the tests of how the repository is put together: what
// each package may import, what the root module may require, that exported names
// are documented, that examples run, and that tests neither wait by the clock nor
// skip in silence. It has no code of its own.
package archtest
