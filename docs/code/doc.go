// Package code holds the code that README.md and docs/observe.md show, so that it
// compiles and does what they say. (That of docs/migrate.md is in bench/peers/migrate.)
package code
