// Package connpoolbench compares poundlock/connpool with a channel of connections,
// with database/sql's pool, and with the peers that bench/peers adds.
//
// No implementation's connections cost anything: what is measured is the pool.
// Every case counts the loans on the connections themselves, so that a pool that
// lends one connection twice at a time, or loses a call, fails.
package connpoolbench
