// Package migrate holds the code of docs/migrate.md as tests: each snippet of the page
// stands in a function here that compiles and runs.
package migrate
